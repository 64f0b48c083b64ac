import {
  bytesToHex,
  type Digest,
  digest,
  FORMAT_VERSION,
  helloPreimage,
  invariant,
  type LinkIdentity,
} from "@quorate/protocol";
import { decodeHello, encodeHello, type Hello, PROOF_BYTES } from "./hello.ts";
import { describeIdentity, type Endpoint, isSameIdentity } from "./identity.ts";
import { TransportError, type TransportErrorCode } from "./transport-error.ts";

/** Says why a peer that claims this identity is refused; undefined lets it prove itself. */
export type PeerJudge = (peer: LinkIdentity) => TransportError | undefined;

/** Which end of the connection this is, and whom it will talk to. */
export type HandshakeSide =
  /** Speaks first and proves first. A client may not know whom it finds there: see `Handshake`. */
  | { readonly type: "dialer"; readonly expected: LinkIdentity | "any-replica" }
  /** Signs only for those who have proven themselves. */
  | { readonly type: "listener"; readonly judge: PeerJudge };

/** What the end of the connection does next. */
export type HandshakeStep =
  | { readonly type: "send"; readonly frame: Uint8Array }
  /** The peer is who it says; `frame`, where there is one, is this end's proof and goes first. */
  | { readonly type: "established"; readonly peer: LinkIdentity; readonly frame: Uint8Array | undefined }
  | { readonly type: "refused"; readonly error: TransportError };

const NONCE_BYTES = 32;

/**
 * Mutual authentication of the two ends of one connection, without I/O: dialer's hello, listener's hello, dialer's
 * proof, listener's proof. A proof signs the cluster, both identities and both fresh nonces, so it is worth nothing on
 * another connection, in another direction or to another peer.
 *
 * A client that expects any replica is introduced: the listener's hello says who it is, and its proof that it has that key,
 * which does not make it a member of anything. The client's own proof names the key that the listener claimed, as always.
 */
export class Handshake {
  readonly #endpoint: Endpoint;
  readonly #side: HandshakeSide;
  readonly #ownNonce: Digest;
  #peer: Hello | undefined;
  #done = false;

  constructor(endpoint: Endpoint, side: HandshakeSide) {
    this.#endpoint = endpoint;
    this.#side = side;
    const nonce = endpoint.randomBytes(NONCE_BYTES);
    invariant(nonce.length === NONCE_BYTES, "handshake.nonce-size", { length: nonce.length });
    this.#ownNonce = digest(bytesToHex(nonce));
  }

  /** The frame to send when the connection opens: the dialer's hello; a listener waits. */
  opening(): Uint8Array | undefined {
    return this.#side.type === "dialer" ? this.#helloTo(this.#side.expected) : undefined;
  }

  /** Takes the peer's next frame. After `established` or `refused` the handshake is over. */
  receive(frame: Uint8Array): HandshakeStep {
    invariant(!this.#done, "handshake.over");
    const step = this.#peer === undefined ? this.#onHello(frame) : this.#onProof(frame, this.#peer);
    this.#done = step.type !== "send";
    return step;
  }

  #onHello(frame: Uint8Array): HandshakeStep {
    const decoded = decodeHello(frame);
    if (decoded.type === "malformed")
      return refused("hello.malformed", `the first frame is not a hello (${frame.length} bytes)`);
    if (decoded.type === "other-version")
      return refused("hello.format-version", `hello has format version ${decoded.version}, expected ${FORMAT_VERSION}`);
    const { hello } = decoded;
    const error = this.#judgeHello(hello);
    if (error !== undefined) return { type: "refused", error };
    this.#peer = hello;
    return { type: "send", frame: this.#side.type === "dialer" ? this.#proofTo(hello) : this.#helloTo(hello.own) };
  }

  #judgeHello(hello: Hello): TransportError | undefined {
    const { cluster, credentials } = this.#endpoint;
    const own = credentials.identity;
    if (hello.cluster !== cluster)
      return new TransportError(
        "hello.wrong-cluster",
        `hello is of cluster ${hello.cluster.slice(0, 16)}, this is cluster ${cluster.slice(0, 16)}`,
      );
    if (hello.own.publicKey === own.publicKey || hello.nonce === this.#ownNonce)
      return new TransportError("hello.reflected", "hello carries this end's own key or nonce");
    if (this.#side.type === "dialer") {
      const error = this.#judgeListener(hello.own, this.#side.expected);
      if (error !== undefined) return error;
    }
    const error = this.#judgeNamed(hello);
    if (error !== undefined) return error;
    return this.#side.type === "listener" ? this.#side.judge(hello.own) : undefined;
  }

  #judgeListener(actual: LinkIdentity, expected: LinkIdentity | "any-replica"): TransportError | undefined {
    if (expected !== "any-replica") return judgeExpected(actual, expected);
    if (actual.role === "replica" && this.#endpoint.credentials.isAdmissible(actual.publicKey)) return undefined;
    return new TransportError(
      "hello.wrong-peer",
      `this is ${describeIdentity(actual)}, expected a replica with a valid key`,
    );
  }

  /** Only a client may not know who this is, and only before it has heard so. */
  #judgeNamed({ own: peer, other }: Hello): TransportError | undefined {
    const own = this.#endpoint.credentials.identity;
    if (other !== "any-replica") return isSameIdentity(other, own) ? undefined : judgeExpected(own, other);
    if (this.#side.type === "listener" && peer.role === "client") return undefined;
    return new TransportError(
      "hello.wrong-peer",
      `the hello of ${describeIdentity(peer)} is for any replica, expected one for ${describeIdentity(own)}`,
    );
  }

  #onProof(frame: Uint8Array, peer: Hello): HandshakeStep {
    const { cluster, credentials } = this.#endpoint;
    const preimage = helloPreimage(cluster, peer.own, peer.nonce, credentials.identity, this.#ownNonce);
    if (frame.length !== PROOF_BYTES || !credentials.verify(peer.own.publicKey, preimage, frame))
      return refused("hello.bad-proof", `the proof does not verify with the key of ${describeIdentity(peer.own)}`);
    const proof = this.#side.type === "listener" ? this.#proofTo(peer) : undefined;
    return { type: "established", peer: peer.own, frame: proof };
  }

  #helloTo(other: LinkIdentity | "any-replica"): Uint8Array {
    const { cluster, credentials } = this.#endpoint;
    return encodeHello({ cluster, own: credentials.identity, nonce: this.#ownNonce, other });
  }

  #proofTo(peer: Hello): Uint8Array {
    const { cluster, credentials } = this.#endpoint;
    const preimage = helloPreimage(cluster, credentials.identity, this.#ownNonce, peer.own, peer.nonce);
    const signature = credentials.sign(preimage);
    invariant(signature.length === PROOF_BYTES, "handshake.signature-size", { length: signature.length });
    return signature;
  }
}

/** Compares who is at an end with who was expected there. */
function judgeExpected(actual: LinkIdentity, expected: LinkIdentity): TransportError | undefined {
  if (isSameIdentity(actual, expected)) return undefined;
  const sameName =
    actual.role === expected.role &&
    (actual.role !== "replica" || expected.role !== "replica" || actual.id === expected.id);
  return sameName
    ? new TransportError(
        "hello.wrong-key",
        `${describeIdentity(actual)} has key ${actual.publicKey.slice(0, 16)}, expected ${expected.publicKey.slice(0, 16)}`,
      )
    : new TransportError(
        "hello.wrong-peer",
        `this is ${describeIdentity(actual)}, the hello is for ${describeIdentity(expected)}`,
      );
}

function refused(code: TransportErrorCode, message: string): HandshakeStep {
  return { type: "refused", error: new TransportError(code, message) };
}
