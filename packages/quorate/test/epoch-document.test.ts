import { createCodec, wireLimitsOf } from "@quorate/codec";
import { createClientSigner, createNobleBackend } from "@quorate/crypto";
import { replicaId } from "@quorate/protocol";
import { TrustedEpochError } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { connect, type EpochDocument, epochDocumentOf, parseEpochDocument, QuorateClient } from "quorate";

describe("an epoch document (protocol rule 11.4)", () => {
  // As `connect` judges, with real signatures.
  const script = new ScriptedEpochs({ backend: createNobleBackend() });
  for (const id of [0, 1]) script.rotateKey(replicaId(id));
  const { cluster, genesis, hasher, backend } = script;
  const codec = createCodec(wireLimitsOf(genesis));
  const chain = script.chainAt(2);
  const document = epochDocumentOf(chain, cluster, codec)!;
  const read = (value: unknown): unknown => parseEpochDocument(JSON.parse(JSON.stringify(value)), cluster, codec);

  it("reads back as the epoch that it is of, after its way through a file", () => {
    expect(read(document)).to.deep.equal(chain.trusted);
    expect(read({ ...document, links: [] })).to.deep.equal({ ...chain.trusted, links: [] });
    expect(epochDocumentOf(script.chainAt(0), cluster, codec)).to.equal(undefined);
  });

  it("is refused with what is wrong", () => {
    const refuses = (change: Partial<Record<keyof EpochDocument, unknown>>, message: RegExp): void => {
      expect(() => read({ ...document, ...change }), String(message)).to.throw(TrustedEpochError, message);
    };
    refuses({ type: "genesis" }, /its type is "genesis", expected "epoch"/);
    refuses({ formatVersion: 1 }, /format version is 1/);
    refuses({ cluster: "c".repeat(64) }, /it is of cluster cccc/);
    refuses({ record: "0" }, /record is no hex/);
    refuses({ start: { seq: -1, stateRoot: document.start.stateRoot } }, /start is no number/);
    refuses({ start: undefined }, /start is no number/);
    refuses({ links: "all" }, /links is no list/);
    refuses({ links: ["00"] }, /links\.0 is no link/);
    refuses({ links: [1] }, /links\.0 is no hex/);
    expect(() => read(null)).to.throw(TrustedEpochError, /it is no object/);
  });

  it("is what a client begins with, and no client begins with one that is wrong", async () => {
    const client = await connect({ genesis, epoch: document, addresses: [] });
    try {
      expect([client.epochs.epoch, client.epochs.membership]).to.deep.equal([2, script.membershipAt(2)]);
    } finally {
      client.close();
    }
    const wrong = { ...document, links: document.links.slice(1) };
    const outcome = await connect({ genesis, epoch: wrong, addresses: [] }).then(
      () => "connected",
      (error: unknown) => error,
    );
    expect(outcome).to.be.instanceOf(TrustedEpochError);
  });

  it("dials the members of that epoch first of all", () => {
    const dialed: string[] = [];
    const seed = new Uint8Array(32).fill(7);
    const signer = createClientSigner({ backend, hasher, seed, cluster });
    const joined = new ScriptedEpochs({ backend });
    const member = joined.join();
    const epoch = joined.chainAt(1).trusted;
    const client = new QuorateClient(
      { genesis: joined.genesis, cluster: joined.cluster, signer, seed, epoch, addresses: [] },
      {
        backend,
        hasher,
        randomBytes: (length) => new Uint8Array(length),
        nowMs: () => 0,
        dial: (address) => {
          dialed.push(address);
          return { send: () => undefined, close: () => undefined } as never;
        },
      },
    );
    client.close();
    expect(dialed).to.include(member.address);
    expect(dialed).to.have.length(5);
  });
});
