import {
  checkGenesisKeys,
  clusterIdOf,
  createClientSigner,
  createNobleHasher,
  createReplicaSigner,
  generateSeed,
  historyDigest,
  sessionIdOf,
  Verifier,
} from "@quorate/crypto";
import { T8 } from "@quorate/crypto/edge-vectors";
import { createNodeHasher } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  bytesToHex,
  type Genesis,
  GenesisError,
  InvariantViolation,
  type PublicKey,
  replicaId,
  requestNumber,
  sequenceNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import {
  backend,
  clientOf,
  cluster,
  digestOf,
  genesis,
  hasher,
  membership,
  newVerifier,
  outputsOf,
  seedOf,
  session,
  signerOf,
  voteOf,
} from "./builders.ts";

describe("a replica's signer", () => {
  it("signs the same bytes again after a restart", () => {
    expect(signerOf(1).sign(voteOf("commit"))).to.deep.equal(signerOf(1).sign(voteOf("commit")));
    const { statement } = outputsOf();
    expect(signerOf(1).signStatement(statement)).to.deep.equal(signerOf(1).signStatement(statement));
  });

  it("makes what a verifier of others accepts", () => {
    expect(newVerifier().verifyEnvelope(signerOf(1).sign(voteOf("commit")), membership)).to.not.equal(undefined);
  });

  it("keeps its own copy of the seed", () => {
    const seed = seedOf("replica 1");
    const signer = createReplicaSigner({ backend, seed, self: replicaId(1), cluster });
    seed.fill(0);

    expect(signer.sign(voteOf("commit"))).to.deep.equal(signerOf(1).sign(voteOf("commit")));
  });

  it("refuses a seed that is not 32 bytes", () => {
    const options = { backend, seed: new Uint8Array(31), self: replicaId(1), cluster };

    expect(() => createReplicaSigner(options)).to.throw(InvariantViolation);
  });

  it("works over the fake back end, and not across two of them", () => {
    const fake = createFakeBackend();
    const seed = seedOf("replica 1");
    const client = createClientSigner({ backend: fake, hasher, seed, cluster });
    const { request } = client.signOperations({ session, number: requestNumber(1), operations: [Uint8Array.of(1)] });

    expect(newVerifierOver(fake).verifyRequest(request)).to.not.equal(undefined);
    expect(newVerifierOver(createFakeBackend()).verifyRequest(request)).to.equal(undefined);
  });

  function newVerifierOver(fake: ReturnType<typeof createFakeBackend>): Verifier {
    return new Verifier({ backend: fake, hasher, cluster });
  }
});

describe("a client's signer", () => {
  it("names itself in its requests", () => {
    const client = clientOf();
    const { request } = client.signRegistration({ nonce: digestOf("nonce"), lastValid: sequenceNumber(9) });

    expect(request.client).to.equal(client.publicKey);
    expect(client.publicKey).to.equal(backend.publicKeyOf(seedOf("client")));
  });

  it("puts nothing into a request but its fields", () => {
    const given = { session, number: requestNumber(1), operations: [Uint8Array.of(1)], extra: "no" };

    expect(clientOf().signOperations(given).request).to.have.all.keys(
      "type",
      "client",
      "session",
      "number",
      "operations",
      "signature",
    );
  });
});

describe("a generated seed", () => {
  it("is a copy of the random bytes", () => {
    const random = Uint8Array.from({ length: 32 }, (_, i) => i);
    const seed = generateSeed(random);
    random.fill(0);

    expect(seed).to.deep.equal(Uint8Array.from({ length: 32 }, (_, i) => i));
  });

  it("is not made of too few bytes, too many, or memory that nobody filled", () => {
    const wrong = [new Uint8Array(31), new Uint8Array(33), new Uint8Array(32), new Uint8Array(32).fill(255)];
    for (const random of wrong) expect(() => generateSeed(random), `${random}`).to.throw(InvariantViolation);
  });
});

describe("the keys of a genesis document", () => {
  const bad = Buffer.from(T8.toBytes()).toString("hex") as PublicKey;

  it("are admissible, each of them", () => {
    expect(() => checkGenesisKeys(backend, genesis)).to.not.throw();
    expect(() => checkGenesisKeys(backend, { ...genesis, clients: "open" })).to.not.throw();
  });

  it("are refused with their owner's name when one is not", () => {
    const cases: [Genesis, RegExp][] = [
      [{ ...genesis, members: genesis.members.with(2, { ...genesis.members[2]!, publicKey: bad }) }, /^member 2: /],
      [{ ...genesis, admins: { threshold: 1, keys: [bad] } }, /^admins: /],
      [{ ...genesis, clients: [bad] }, /^clients: /],
      [{ ...genesis, clients: ["00".repeat(32) as PublicKey] }, /^clients: /],
    ];
    for (const [document, owner] of cases)
      expect(() => checkGenesisKeys(backend, document)).to.throw(GenesisError, owner);
  });
});

describe("digests", () => {
  it("are the same over both hashers", () => {
    const [noble, node] = [createNobleHasher(), createNodeHasher()];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(noble.digest(bytes)).to.equal(node.digest(bytes));
        for (const hasher of [noble, node]) {
          const target = new Uint8Array(40).fill(7);
          hasher.digestInto(bytes, target, 5);
          expect(bytesToHex(target)).to.equal(`0707070707${node.digest(bytes)}070707`);
        }
      }),
      { seed: 9 },
    );
    expect(clusterIdOf(noble, genesis)).to.equal(clusterIdOf(node, genesis));
  });

  it("name a cluster by everything in its genesis", () => {
    const others: Genesis[] = [
      { ...genesis, name: "other" },
      { ...genesis, clients: "open" },
      { ...genesis, clients: [] },
      { ...genesis, windowSize: 24 },
      { ...genesis, members: genesis.members.with(0, { ...genesis.members[0]!, address: "127.0.0.1:1" }) },
    ];

    expect(new Set([genesis, ...others].map((document) => clusterIdOf(hasher, document))).size).to.equal(6);
  });

  it("give a session another id for another client, nonce, sequence number or place in the batch", () => {
    const [client, other] = [clientOf().publicKey, clientOf("other").publicKey];
    const [nonce, seq] = [digestOf("nonce"), sequenceNumber(5)];
    const ids = [
      sessionIdOf(hasher, cluster, client, nonce, seq, 0),
      sessionIdOf(hasher, cluster, other, nonce, seq, 0),
      sessionIdOf(hasher, cluster, client, digestOf("other"), seq, 0),
      sessionIdOf(hasher, cluster, client, nonce, sequenceNumber(6), 0),
      sessionIdOf(hasher, cluster, client, nonce, seq, 1),
    ];

    expect(new Set(ids).size).to.equal(ids.length);
  });

  it("chain the history: a link depends on all before it", () => {
    const seq = sequenceNumber(5);
    const links = [
      historyDigest(hasher, cluster, digestOf("previous"), seq, digestOf("batch")),
      historyDigest(hasher, cluster, digestOf("other"), seq, digestOf("batch")),
      historyDigest(hasher, cluster, digestOf("previous"), seq, digestOf("other")),
      historyDigest(hasher, cluster, digestOf("previous"), sequenceNumber(6), digestOf("batch")),
    ];

    expect(new Set(links).size).to.equal(links.length);
  });
});
