import {
  type Configuration,
  type Digest,
  InvariantViolation,
  type PublicKey,
  type ReplicaId,
  type SequenceNumber,
} from "@quorate/protocol";
import {
  type ConfigurationRecord,
  decodeConfiguration,
  encodeConfiguration,
  type PendingChange,
} from "@quorate/reconfiguration";
import { expect } from "chai";
import fc from "fast-check";

const counters = fc.maxSafeNat();
const ids = fc.nat(2 ** 31 - 1);
const hashes = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
const admins = fc.record({ threshold: fc.nat(64), keys: fc.array(hashes, { maxLength: 5 }) });
const members = fc.array(
  fc.record({ id: ids, publicKey: hashes, address: fc.string({ unit: "grapheme", maxLength: 30 }) }),
  { maxLength: 7 },
);
const configurations = fc.record({
  epoch: counters,
  members,
  admins,
  checkpointInterval: fc.nat(2048),
  windowSize: fc.nat(2048),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<Configuration>;
const pendings = fc.record({
  ordered: counters,
  activation: counters,
  next: configurations,
  rejoins: fc.option(ids, { nil: undefined }),
  queued: fc.option(admins, { nil: undefined }),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<PendingChange>;
const records = fc.record({
  current: configurations,
  highestId: ids,
  pending: fc.option(pendings, { nil: undefined }),
  rejoins: fc.array(fc.record({ id: ids, loss: hashes, ordered: counters }), { maxLength: 4 }),
}) as fc.Arbitrary<unknown> as fc.Arbitrary<ConfigurationRecord>;

describe("the record of a configuration", () => {
  it("reads back as what was written, and one record has one encoding", () => {
    fc.assert(
      fc.property(records, (record) => {
        const bytes = encodeConfiguration(record);

        expect(decodeConfiguration(bytes)).to.deep.equal(record);
        expect(encodeConfiguration(decodeConfiguration(bytes))).to.deep.equal(bytes);
      }),
    );
  });

  it("tells each field apart", () => {
    const admin = { threshold: 1, keys: ["aa".repeat(32) as PublicKey] };
    const current = { epoch: 0, members: [], admins: admin, checkpointInterval: 16, windowSize: 64 } as unknown;
    const next = { ...(current as Configuration), epoch: 1 } as unknown as Configuration;
    const pending = { ordered: 3, activation: 80, next, rejoins: 1, queued: admin } as unknown as PendingChange;
    const rejoins = [{ id: 1 as ReplicaId, loss: "bb".repeat(32) as Digest, ordered: 3 as SequenceNumber }];
    const record: ConfigurationRecord = {
      current: current as Configuration,
      highestId: 4 as ReplicaId,
      pending,
      rejoins,
    };
    const variants: ConfigurationRecord[] = [
      record,
      { ...record, highestId: 5 as ReplicaId },
      { ...record, pending: undefined },
      { ...record, pending: { ...pending, rejoins: undefined } },
      { ...record, pending: { ...pending, queued: undefined } },
      { ...record, pending: { ...pending, queued: { ...admin, threshold: 2 } } },
      { ...record, pending: { ...pending, activation: 96 as SequenceNumber } },
      { ...record, rejoins: [] },
    ];

    const encodings = new Set(variants.map((variant) => Buffer.from(encodeConfiguration(variant)).toString("hex")));

    expect(encodings.size).to.equal(variants.length);
  });

  it("that is cut short, or has more behind it, is none", () => {
    const bytes = encodeConfiguration(fc.sample(records, { numRuns: 1, seed: 7 })[0]!);

    for (const length of [0, 1, bytes.length - 1])
      expect(() => decodeConfiguration(bytes.subarray(0, length))).to.throw();
    expect(() => decodeConfiguration(Uint8Array.of(...bytes, 0))).to.throw(InvariantViolation);
  });
});
