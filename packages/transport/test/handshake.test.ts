import { bytesToHex, digest, FORMAT_VERSION, helloPreimage, type LinkIdentity } from "@quorate/protocol";
import {
  decodeHello,
  type Endpoint,
  encodeHello,
  FOREIGN_HELLO_BYTES_MAX,
  Handshake,
  type HandshakeStep,
  HELLO_BYTES,
  PROOF_BYTES,
} from "@quorate/transport";
import { expect } from "chai";
import fc from "fast-check";
import { CLUSTER, newEndpoint } from "./endpoints.ts";

const alice = newEndpoint(1);
const bob = newEndpoint(2);
const carol = newEndpoint(3);
const client = newEndpoint("client");
const observer = newEndpoint("observer");

function identityOf(endpoint: Endpoint): LinkIdentity {
  return endpoint.credentials.identity;
}
function dialer(from: Endpoint, to: Endpoint): Handshake {
  return new Handshake(from, { type: "dialer", expected: identityOf(to) });
}
function listener(endpoint: Endpoint): Handshake {
  return new Handshake(endpoint, { type: "listener", judge: () => undefined });
}
function frameOf(step: HandshakeStep): Uint8Array {
  if (step.type === "refused") throw step.error;
  if (step.frame === undefined) throw new Error("no frame in this step");
  return step.frame;
}
function codeOf(step: HandshakeStep): string {
  return step.type === "refused" ? step.error.code : step.type;
}

describe("handshake", () => {
  it("takes four frames of fixed size and ends with both ends proven", () => {
    for (const from of [alice, client]) {
      const near = dialer(from, bob);
      const far = listener(bob);

      const hello = near.opening()!;
      const answer = frameOf(far.receive(hello));
      const proof = frameOf(near.receive(answer));
      const atListener = far.receive(proof);
      const atDialer = near.receive(frameOf(atListener));

      expect([hello.length, answer.length]).to.deep.equal([HELLO_BYTES, HELLO_BYTES]);
      expect([proof.length, frameOf(atListener).length]).to.deep.equal([PROOF_BYTES, PROOF_BYTES]);
      expect(atListener).to.deep.include({ type: "established", peer: identityOf(from) });
      expect(atDialer).to.deep.equal({ type: "established", peer: identityOf(bob), frame: undefined });
    }
  });

  it("proves what the protocol's preimage says and nothing else", () => {
    const near = dialer(alice, bob);
    const far = listener(bob);
    const hello = decodeHello(near.opening()!);
    const answerFrame = frameOf(far.receive(near.opening()!));
    const answer = decodeHello(answerFrame);
    if (hello.type !== "hello" || answer.type !== "hello") throw new Error("not hellos");
    const { nonce: ownNonce } = hello.hello;

    const proof = frameOf(near.receive(answerFrame));

    const preimage = helloPreimage(CLUSTER, identityOf(alice), ownNonce, identityOf(bob), answer.hello.nonce);
    expect(bob.credentials.verify(identityOf(alice).publicKey, preimage, proof)).to.equal(true);
  });

  it("refuses the frames of a recorded run", () => {
    const near = dialer(alice, bob);
    const recordedHello = near.opening()!;
    const recordedProof = frameOf(near.receive(frameOf(listener(bob).receive(recordedHello))));

    const far = listener(bob);
    far.receive(recordedHello);

    expect(codeOf(far.receive(recordedProof))).to.equal("hello.bad-proof");
  });

  it("refuses a recorded listener as well", () => {
    const far = listener(bob);
    const first = dialer(alice, bob);
    const recordedAnswer = frameOf(far.receive(first.opening()!));
    const recordedProof = frameOf(far.receive(frameOf(first.receive(recordedAnswer))));

    const second = dialer(alice, bob);
    second.opening();
    second.receive(recordedAnswer);

    expect(codeOf(second.receive(recordedProof))).to.equal("hello.bad-proof");
  });

  it("refuses its own hello and its own proof when they are reflected", () => {
    const near = dialer(alice, bob);
    expect(codeOf(near.receive(near.opening()!))).to.equal("hello.reflected");

    const other = dialer(alice, bob);
    const proof = frameOf(other.receive(frameOf(listener(bob).receive(other.opening()!))));
    expect(codeOf(other.receive(proof))).to.equal("hello.bad-proof");
  });

  it("refuses a hello that a third party relays live, in both directions", () => {
    // Alice dials Carol, and Carol passes Alice's frames on to Bob as if Alice had dialed him.
    expect(codeOf(listener(bob).receive(dialer(alice, carol).opening()!))).to.equal("hello.wrong-peer");

    // Carol rewrites the unsigned hello, so that Bob goes on; then Alice's proof names Carol, and does not verify.
    const near = dialer(alice, carol);
    const far = listener(bob);
    const hello = decodeHello(near.opening()!);
    if (hello.type !== "hello") throw new Error("not a hello");
    const answer = decodeHello(frameOf(far.receive(encodeHello({ ...hello.hello, other: identityOf(bob) }))));
    if (answer.type !== "hello") throw new Error("not a hello");
    const proof = frameOf(near.receive(encodeHello({ ...answer.hello, own: identityOf(carol) })));
    expect(codeOf(far.receive(proof))).to.equal("hello.bad-proof");
  });

  it("introduces clients and observers to replicas that they do not know, members or not, and both are proven", () => {
    for (const from of [client, observer])
      for (const to of [bob, newEndpoint("observer")]) {
        const near = new Handshake(from, { type: "dialer", expected: "any-replica" });
        const far = listener(to);

        const atListener = far.receive(frameOf(near.receive(frameOf(far.receive(near.opening()!)))));

        expect(atListener).to.deep.include({ type: "established", peer: identityOf(from) });
        expect(near.receive(frameOf(atListener))).to.deep.include({ type: "established", peer: identityOf(to) });
      }
  });

  it("takes a hello for anyone from no replica, and from no listener", () => {
    const replica = new Handshake(alice, { type: "dialer", expected: "any-replica" });
    expect(codeOf(listener(bob).receive(replica.opening()!))).to.equal("hello.wrong-peer");

    const near = new Handshake(client, { type: "dialer", expected: "any-replica" });
    const answer = decodeHello(frameOf(listener(bob).receive(near.opening()!)));
    if (answer.type !== "hello") throw new Error("not a hello");
    expect(codeOf(near.receive(encodeHello({ ...answer.hello, other: "any-replica" })))).to.equal("hello.wrong-peer");
  });

  it("introduces a client to no other client, and to no key that is none", () => {
    const introduced = (own: LinkIdentity): string => {
      const near = new Handshake(client, { type: "dialer", expected: "any-replica" });
      const answer = decodeHello(frameOf(listener(bob).receive(near.opening()!)));
      if (answer.type !== "hello") throw new Error("not a hello");
      return codeOf(near.receive(encodeHello({ ...answer.hello, own })));
    };
    const noKey = "00".repeat(32) as never;

    expect(introduced({ role: "client", publicKey: digest("44".repeat(32)) as never })).to.equal("hello.wrong-peer");
    expect(introduced({ role: "replica", id: 5 as never, publicKey: noKey })).to.equal("hello.wrong-peer");
    expect(introduced(identityOf(bob))).to.equal("send");
  });

  it("gives whoever claims another's key at an introduction a proof that is worth nothing to it", () => {
    const near = new Handshake(client, { type: "dialer", expected: "any-replica" });
    const far = listener(bob);
    const answer = decodeHello(frameOf(far.receive(near.opening()!)));
    if (answer.type !== "hello") throw new Error("not a hello");

    const proof = frameOf(near.receive(encodeHello({ ...answer.hello, own: identityOf(carol) })));

    expect(codeOf(far.receive(proof))).to.equal("hello.bad-proof");
    expect(codeOf(near.receive(new Uint8Array(PROOF_BYTES)))).to.equal("hello.bad-proof");
  });

  it("says in one line when the other end speaks another format version, of whatever length", () => {
    for (const length of [20, HELLO_BYTES, HELLO_BYTES + 7, FOREIGN_HELLO_BYTES_MAX]) {
      const foreign = new Uint8Array(length);
      foreign.set(dialer(alice, bob).opening()!.subarray(0, Math.min(length, HELLO_BYTES)));
      new DataView(foreign.buffer).setUint32(16, FORMAT_VERSION + 1);

      const step = listener(bob).receive(foreign);

      expect(codeOf(step)).to.equal("hello.format-version");
      if (step.type === "refused")
        expect(step.error.message).to.equal(
          `hello has format version ${FORMAT_VERSION + 1}, expected ${FORMAT_VERSION}`,
        );
    }
  });

  it("asks the judge about the peer's identity before it signs or verifies anything", () => {
    const asked: LinkIdentity[] = [];
    let signatures = 0;
    const sign = (preimage: Uint8Array): Uint8Array => {
      signatures++;
      return bob.credentials.sign(preimage);
    };
    const judge = (peer: LinkIdentity): undefined => {
      asked.push(peer);
    };
    const counting: Endpoint = { ...bob, credentials: { ...bob.credentials, sign } };
    const far = new Handshake(counting, { type: "listener", judge });

    far.receive(dialer(client, bob).opening()!);
    const step = far.receive(new Uint8Array(PROOF_BYTES));

    expect(asked).to.deep.equal([identityOf(client)]);
    expect(codeOf(step)).to.equal("hello.bad-proof");
    expect(signatures).to.equal(0);
  });

  it("refuses every truncation, extension and bit flip of hello and proof at the listener", () => {
    const endpointWithFixedNonce: Endpoint = { ...alice, randomBytes: (length) => new Uint8Array(length).fill(9) };
    const near = new Handshake(endpointWithFixedNonce, { type: "dialer", expected: identityOf(bob) });
    const hello = near.opening()!;
    const provesWith = (firstFrame: Uint8Array, spoil: (proof: Uint8Array) => Uint8Array): string => {
      const far = listener(bob);
      const answer = far.receive(firstFrame);
      if (answer.type !== "send") return codeOf(answer);
      const honest = new Handshake(endpointWithFixedNonce, { type: "dialer", expected: identityOf(bob) });
      const proof = honest.receive(answer.frame);
      return proof.type === "send" ? codeOf(far.receive(spoil(proof.frame))) : codeOf(proof);
    };
    expect(provesWith(hello, (proof) => proof)).to.equal("established");

    for (let bit = 0; bit < HELLO_BYTES * 8; bit++)
      expect(
        provesWith(flipped(hello, bit), (proof) => proof),
        `hello bit ${bit}`,
      ).to.match(/^hello\./);
    for (let bit = 0; bit < PROOF_BYTES * 8; bit++)
      expect(
        provesWith(hello, (proof) => flipped(proof, bit)),
        `proof bit ${bit}`,
      ).to.equal("hello.bad-proof");
    for (let length = 0; length < HELLO_BYTES; length++)
      expect(codeOf(listener(bob).receive(hello.subarray(0, length))), `length ${length}`).to.equal("hello.malformed");
    for (const length of [0, PROOF_BYTES - 1, PROOF_BYTES + 1])
      expect(provesWith(hello, () => new Uint8Array(length))).to.equal("hello.bad-proof");
  });

  it("reads any bytes without throwing, and reads back what it wrote", () => {
    const identity = fc.oneof(
      fc.record({ role: fc.constant("replica" as const), id: fc.nat(2 ** 31 - 1), publicKey: hex32() }),
      fc.record({ role: fc.constantFrom("client" as const, "observer" as const), publicKey: hex32() }),
    ) as fc.Arbitrary<LinkIdentity>;
    fc.assert(
      fc.property(identity, fc.oneof(identity, fc.constant("any-replica" as const)), hex32(), (own, other, nonce) => {
        const hello = { cluster: CLUSTER, own, nonce: digest(nonce), other };
        expect(decodeHello(encodeHello(hello))).to.deep.equal({ type: "hello", hello });
      }),
      { seed: 1, numRuns: 200 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(codeOf(listener(bob).receive(bytes))).to.equal("hello.malformed");
      }),
      { seed: 1, numRuns: 500 },
    );
  });

  it("keeps the exact bytes of a hello that docs/wire.md shows", () => {
    const hello = encodeHello({
      cluster: CLUSTER,
      own: { role: "client", publicKey: digest("22".repeat(32)) as never },
      nonce: digest("33".repeat(32)),
      other: { role: "replica", id: 5 as never, publicKey: digest("44".repeat(32)) as never },
    });
    const expected = [
      "71756f726174652d68656c6c6f000000",
      "00000003",
      "11".repeat(32),
      "02",
      "00000000",
      "22".repeat(32),
      "33".repeat(32),
      "01",
      "00000005",
      "44".repeat(32),
    ].join("");
    expect(bytesToHex(hello)).to.equal(expected);
  });
});

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3]! ^= 1 << (bit & 7);
  return copy;
}
function hex32(): fc.Arbitrary<string> {
  return fc.uint8Array({ minLength: 32, maxLength: 32 }).map(bytesToHex);
}
