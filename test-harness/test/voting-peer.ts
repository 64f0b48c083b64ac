import type { Codec } from "@quorate/codec";
import { createReplicaSigner, type SignatureBackend } from "@quorate/crypto";
import type { LinkIdentity, PrePrepare, ReplicaId, Signer } from "@quorate/protocol";
import type { ProcessCluster } from "@quorate/test-harness";
import { CLIENT_DIAL_LIMITS, dial, type PersistentLink } from "@quorate/transport";
import { rawEndpoint } from "./raw-endpoint.ts";

export interface VotingPeerOptions {
  readonly cluster: ProcessCluster;
  readonly backend: SignatureBackend;
  readonly codec: Codec;
  /** The members that it has links with. */
  readonly targets: readonly number[];
  /** Who it is on a link. */
  readonly identity: LinkIdentity;
  /** Whom its votes name. */
  readonly self: ReplicaId;
  /** The secret of its key. */
  readonly seed: Uint8Array;
}

/** A peer that is nothing but links and a key: it hears what is proposed to it, and votes when it is told to. */
export class VotingPeer {
  readonly #codec: Codec;
  readonly #signerOf: (seed: Uint8Array) => Signer;
  readonly #seed: Uint8Array;
  readonly #links: readonly PersistentLink[];
  readonly #proposals: PrePrepare[] = [];
  readonly #listeners: ((proposal: PrePrepare) => void)[] = [];
  #onUp: (() => void)[] = [];

  constructor({ cluster, backend, codec, targets, identity, self, seed }: VotingPeerOptions) {
    this.#codec = codec;
    this.#seed = seed;
    this.#signerOf = (key) => createReplicaSigner({ backend, seed: key, self, cluster: cluster.folder(0).cluster });
    this.#links = targets.map((target) => {
      const { id, publicKey, address } = cluster.member(target);
      return dial({
        address,
        endpoint: rawEndpoint(cluster, backend, identity, seed),
        expected: { role: "replica", id, publicKey },
        limits: { ...CLIENT_DIAL_LIMITS, frameBytesMax: codec.limits.replicaFrame.bytesMax },
        backOff: { firstMs: 10, longestMs: 100 },
        onFrame: (bytes) => this.#onFrame(bytes),
        onUp: () => {
          for (const wake of this.#onUp.splice(0)) wake();
        },
      });
    });
  }

  /** All its links are there. */
  async isUp(): Promise<void> {
    while (!this.#links.every(({ isUp }) => isUp)) await new Promise<void>((resolve) => this.#onUp.push(resolve));
  }

  /** For everything that was proposed to it, and that will be. */
  each(listen: (proposal: PrePrepare) => void): void {
    this.#listeners.push(listen);
    for (const proposal of this.#proposals) listen(proposal);
  }

  /** Says that it has prepared this, and has seen a quorum prepare it; with its own key, or another one. */
  vote({ epoch, view, seq, digest }: PrePrepare, seed: Uint8Array = this.#seed): void {
    const signer = this.#signerOf(seed);
    for (const type of ["prepare", "commit"] as const) {
      const envelope = signer.sign({ type, epoch, view, seq, digest });
      const frame = this.#codec.encodeReplicaFrame({ type: "signed", envelope });
      for (const link of this.#links) link.send(frame);
    }
  }

  close(): void {
    for (const link of this.#links) link.close("the test is over");
  }

  #onFrame(bytes: Uint8Array): void {
    const decoded = this.#codec.decodeReplicaFrame(new Uint8Array(bytes));
    if (!decoded.ok || decoded.value.type !== "pre-prepare") return;
    const { message } = decoded.value.envelope;
    this.#proposals.push(message);
    for (const listen of this.#listeners) listen(message);
  }
}
