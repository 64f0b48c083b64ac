import {
  type CommitCertificate,
  digest,
  type Evidence,
  epochNumber,
  type LogRecord,
  placeOf,
  replicaId,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import { EVIDENCE_PER_REPLICA_MAX, EvidenceShelf, RecoveryError, readDisk } from "@quorate/server/host";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import {
  bareViewChangeOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  hasher,
  membership,
  newEpochs,
  newScript,
  newVerifier,
  newViewOf,
  requestOf,
  seqOf,
} from "./builders.ts";

const view = viewNumber(0);
const batch = composer.compose(timestampMs(1), [requestOf("a")]);
const prePreparedOf = (seq: number): LogRecord => ({
  type: "pre-prepared",
  envelope: envelopeOf(0, { type: "pre-prepare", epoch, view, seq: seqOf(seq), digest: batch.digest }),
  batch: batch.batch,
});
function certificateOf(seq: number): CommitCertificate {
  const message = { type: "commit", epoch, view, seq: seqOf(seq), digest: batch.digest } as const;
  const signatures = [0, 1, 2].map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
  return { epoch, view, seq: seqOf(seq), digest: batch.digest, signatures };
}
const read = (store: MemoryStore, executed = 0): ReturnType<typeof readDisk> =>
  readDisk(store, codec, newVerifier(), newEpochs(), seqOf(executed));
function storeWith(seq: number, record: LogRecord): MemoryStore {
  const store = createMemoryStore();
  store.log.append(seqOf(seq), codec.encodeLogRecord(record));
  return store;
}

describe("readDisk (protocol rule 8.4)", () => {
  it("gives what was written, verified", () => {
    const store = storeWith(1, prePreparedOf(1));
    store.history.put(seqOf(1), codec.encodeCommittedEntry({ batch: batch.batch, certificate: certificateOf(1) }));
    const { records, committed } = read(store);
    expect(records.map(({ type }) => type)).to.deep.equal(["pre-prepared"]);
    expect(committed.map(({ certificate }) => certificate.seq)).to.deep.equal([1]);
  });

  it("takes the own VIEW-CHANGE and the NEW-VIEW that was entered, wherever they stand", () => {
    const { viewChange } = bareViewChangeOf(2);
    const { newView } = newViewOf();
    const store = createMemoryStore();
    for (const record of [
      { type: "view-change", at: seqOf(1), viewChange },
      { type: "new-view", at: seqOf(8), newView },
    ] as const)
      store.log.append(record.at, codec.encodeLogRecord(record));

    const [first, second] = read(store).records;

    expect(first?.type === "view-change" && first.viewChange).to.deep.equal(bareViewChangeOf(2));
    expect(second?.type === "new-view" && second.newView).to.deep.equal(newViewOf());
  });

  it("takes no VIEW-CHANGE or NEW-VIEW with a signature that does not hold", () => {
    const unsigned = new Uint8Array(64);
    const { viewChange } = bareViewChangeOf(2);
    const { newView } = newViewOf();
    const records: LogRecord[] = [
      {
        type: "view-change",
        at: seqOf(1),
        viewChange: { ...viewChange, envelope: { ...viewChange.envelope, signature: unsigned } },
      },
      {
        type: "new-view",
        at: seqOf(1),
        newView: { ...newView, envelope: { ...newView.envelope, signature: unsigned } },
      },
    ];
    for (const record of records)
      expect(() => read(storeWith(1, record)), record.type).to.throw(RecoveryError, record.type);
  });

  it("takes the answers after a loss, verified, and the release from it; the nonce comes from the store", () => {
    const nonce = digestOf("loss");
    const stable = { seq: seqOf(0), stateRoot: digest(cluster) };
    const reply = {
      envelope: envelopeOf(2, { type: "reply-stable", epoch, nonce, stable, view }),
      checkpoint: { epoch, ...stable, signatures: [] },
    };
    const store = createMemoryStore({ lossNonce: nonce });
    const records: LogRecord[] = [
      { type: "mute", at: seqOf(0), replies: [reply] },
      { type: "released", epoch, at: seqOf(16), nonce },
    ];
    for (const record of records) store.log.append(placeOf(record).seq, codec.encodeLogRecord(record));

    expect(read(store).lossNonce).to.equal(nonce);
    expect(read(store).records).to.deep.equal([
      { type: "mute", replies: [reply] },
      { type: "released", nonce },
    ]);
    const unsigned = { ...reply, envelope: { ...reply.envelope, signature: new Uint8Array(64) } };
    const damaged = storeWith(0, {
      type: "mute",
      at: seqOf(0),
      replies: [reply, { ...unsigned, envelope: { ...unsigned.envelope, from: replicaId(3) } }],
    });
    expect(() => read(damaged)).to.throw(RecoveryError, "mute");
  });

  it("takes a release of an earlier epoch, which holds in all that follow, and none of an epoch that it does not know", () => {
    const script = newScript();
    script.idle(1);
    const released = (of: number): LogRecord => ({
      type: "released",
      epoch: epochNumber(of),
      at: seqOf(16),
      nonce: digestOf("loss"),
    });
    const typesIn = (of: number): string[] => {
      const store = storeWith(16, released(of));
      const { records } = readDisk(store, codec, newVerifier(), script.chainAt(1), seqOf(0));
      return records.map(({ type }) => type);
    };
    expect([0, 1].map(typesIn)).to.deep.equal([["released"], ["released"]]);
    expect(() => typesIn(2)).to.throw(RecoveryError, "log record 16 (released) is of epoch 2, which is not known here");
  });

  it("takes a prepared certificate of a quorum", () => {
    const { envelope } = prePreparedOf(1) as Extract<LogRecord, { type: "pre-prepared" }>;
    const message = { type: "prepare", epoch, view, seq: seqOf(1), digest: batch.digest } as const;
    const prepares = [1, 2].map((id) => ({ from: replicaId(id), signature: envelopeOf(id, message).signature }));
    const { records } = read(storeWith(1, { type: "prepared", certificate: { prePrepare: envelope, prepares } }));
    expect(records.map(({ type }) => type)).to.deep.equal(["prepared"]);
  });

  it("reads the history above the state up to its first gap", () => {
    const store = createMemoryStore();
    for (const seq of [1, 2, 3, 5])
      store.history.put(
        seqOf(seq),
        codec.encodeCommittedEntry({ batch: batch.batch, certificate: certificateOf(seq) }),
      );
    expect(read(store, 1).committed.map(({ certificate }) => certificate.seq)).to.deep.equal([2, 3]);
  });

  const record = prePreparedOf(1) as Extract<LogRecord, { type: "pre-prepared" }>;
  const stable = { epoch, seq: seqOf(8), stateRoot: digestOf("x"), signatures: certificateOf(8).signatures };
  const prepareOf = (id: number) => {
    const message = { type: "prepare", epoch, view, seq: seqOf(1), digest: batch.digest } as const;
    return { from: replicaId(id), signature: envelopeOf(id, message).signature };
  };
  const prepares = [1, 2].map((id) => ({ from: replicaId(id), signature: new Uint8Array(64) }));
  const damage: { name: string; store: MemoryStore; says: RegExp }[] = [
    {
      name: "a signature",
      store: storeWith(1, { ...record, envelope: { ...record.envelope, signature: new Uint8Array(64) } }),
      says: /not valid/,
    },
    {
      name: "the time of a batch, which no signature covers",
      store: storeWith(1, { ...record, batch: { ...record.batch, timestampMs: timestampMs(2) } }),
      says: /not valid/,
    },
    { name: "the place of a record", store: storeWith(2, record), says: /log record 2 .*belongs to number 1/ },
    {
      name: "a prepared certificate",
      store: storeWith(1, { type: "prepared", certificate: { prePrepare: record.envelope, prepares } }),
      says: /not valid/,
    },
    {
      name: "a prepared certificate of too few",
      store: storeWith(1, { type: "prepared", certificate: { prePrepare: record.envelope, prepares: [prepareOf(1)] } }),
      says: /not valid/,
    },
    { name: "a stable checkpoint", store: storeWith(8, { type: "stable", checkpoint: stable }), says: /not valid/ },
  ];
  for (const { name, store, says } of damage)
    it(`damage to ${name} is found, in one line`, () => {
      expect(() => read(store))
        .to.throw(RecoveryError, says)
        .with.property("message")
        .not.include("\n");
    });

  it("a record that does not decode is found", () => {
    const store = createMemoryStore();
    store.log.append(seqOf(1), Uint8Array.of(1, 2, 3));
    expect(() => read(store)).to.throw(RecoveryError, /log record 1 does not decode/);
  });

  it("a history entry at another's place is found", () => {
    const store = createMemoryStore();
    store.history.put(seqOf(1), codec.encodeCommittedEntry({ batch: batch.batch, certificate: certificateOf(2) }));
    expect(() => read(store)).to.throw(RecoveryError, /history entry 1 belongs to number 2/);
  });

  it("a history entry whose certificate does not hold is found", () => {
    const store = createMemoryStore();
    const certificate = { ...certificateOf(1), signatures: certificateOf(2).signatures };
    store.history.put(seqOf(1), codec.encodeCommittedEntry({ batch: batch.batch, certificate }));
    expect(() => read(store)).to.throw(RecoveryError, /history entry 1/);
  });
});

describe("EvidenceShelf", () => {
  const evidenceOf = (from: number, seq: number): Evidence => {
    const vote = (label: string) =>
      envelopeOf(from, { type: "prepare", epoch, view, seq: seqOf(seq), digest: digestOf(label) } as const);
    return { type: "equivocation", first: vote("a"), second: vote("b") };
  };
  const ids = membership.members.map(({ id }) => id);
  const unjustified: Evidence = {
    type: "unjustified-new-view",
    newView: newViewOf([digestOf("x")]).newView.envelope,
    viewChanges: [0, 1, 2].map((id) => bareViewChangeOf(id).viewChange.envelope),
  };
  const shelfOn = (store: MemoryStore): EvidenceShelf => new EvidenceShelf(store.local, codec, hasher, ids);

  it("keeps a NEW-VIEW that does not follow, against its signer", () => {
    const shelf = shelfOn(createMemoryStore());
    expect(newVerifier().verifyEvidence(unjustified, membership)).to.equal(true);
    expect([shelf.keep(unjustified), shelf.keep(unjustified), shelf.count]).to.deep.equal([true, false, 1]);
    for (let seq = 1; seq < EVIDENCE_PER_REPLICA_MAX; seq++) shelf.keep(evidenceOf(1, seq));
    expect(shelf.keep(evidenceOf(1, 99)), "its signer is replica 1").to.equal(false);
  });

  it("keeps one piece once, and across restarts", () => {
    const store = createMemoryStore();
    const shelf = shelfOn(store);
    expect([shelf.keep(evidenceOf(1, 1)), shelf.keep(evidenceOf(1, 1))]).to.deep.equal([true, false]);
    expect([shelf.count, shelfOn(store).count]).to.deep.equal([1, 1]);
  });

  it("one liar does not use up what is kept against another", () => {
    const store = createMemoryStore();
    const shelf = shelfOn(store);
    for (let seq = 1; seq <= EVIDENCE_PER_REPLICA_MAX + 5; seq++) shelf.keep(evidenceOf(1, seq));
    expect(shelf.keep(evidenceOf(1, 99)), "one too many").to.equal(false);
    expect(shelf.count, "of one").to.equal(EVIDENCE_PER_REPLICA_MAX);
    shelf.keep(evidenceOf(2, 1));
    expect([shelf.count, shelfOn(store).count]).to.deep.equal([
      EVIDENCE_PER_REPLICA_MAX + 1,
      EVIDENCE_PER_REPLICA_MAX + 1,
    ]);
  });
});
