import {
  clusterId,
  digest,
  epochNumber,
  InvariantViolation,
  isCounter,
  isHex32,
  nextSequenceNumber,
  publicKey,
  REPLICA_ID_MAX,
  replicaId,
  requestNumber,
  sequenceNumber,
  sessionId,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";

const COUNTERS = { viewNumber, sequenceNumber, epochNumber, requestNumber, timestampMs };
const HASHES = { digest, publicKey, clusterId, sessionId };

const NOT_COUNTERS = [-1, -0, 0.5, 2 ** 53, -(2 ** 53), Number.NaN, Number.POSITIVE_INFINITY];
const NOT_HEX_32 = [
  "",
  "0".repeat(63),
  "0".repeat(65),
  "A".repeat(64),
  "g".repeat(64),
  `${"0".repeat(63)} `,
  `0x${"0".repeat(62)}`,
  `${"0".repeat(64)}\n`,
];

describe("A counter", () => {
  for (const [name, make] of Object.entries(COUNTERS)) {
    it(`of ${name} is any integer from 0 to 2^53 - 1`, () => {
      for (const value of [0, 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER])
        expect(make(value), String(value)).to.equal(value);
    });

    it(`of ${name} is nothing else`, () => {
      for (const value of NOT_COUNTERS) expect(() => make(value), String(value)).to.throw(InvariantViolation);
    });
  }

  it("is recognised among values of any type", () => {
    for (const value of [0, 7, Number.MAX_SAFE_INTEGER]) expect(isCounter(value), String(value)).to.equal(true);
    for (const value of [...NOT_COUNTERS, "1", 1n, null, undefined, {}, [1]])
      expect(isCounter(value), String(value)).to.equal(false);
  });
});

describe("A replica id", () => {
  it("is an integer from 0 to 2^31 - 1", () => {
    expect(REPLICA_ID_MAX).to.equal(2_147_483_647);
    for (const value of [0, REPLICA_ID_MAX]) expect(replicaId(value)).to.equal(value);
  });

  it("is nothing else", () => {
    for (const value of [...NOT_COUNTERS, REPLICA_ID_MAX + 1])
      expect(() => replicaId(value), String(value)).to.throw(InvariantViolation);
  });
});

describe("An id of 32 bytes", () => {
  for (const [name, make] of Object.entries(HASHES)) {
    it(`made by ${name} is 64 lower-case hex digits`, () => {
      const hex = "0123456789abcdef".repeat(4);

      expect(make(hex)).to.equal(hex);
    });

    it(`made by ${name} is nothing else`, () => {
      for (const value of NOT_HEX_32) expect(() => make(value), JSON.stringify(value)).to.throw(InvariantViolation);
    });
  }

  it("is recognised among values of any type", () => {
    expect(isHex32("f".repeat(64))).to.equal(true);
    for (const value of [...NOT_HEX_32, 0, null, undefined, ["f".repeat(64)]])
      expect(isHex32(value), JSON.stringify(value)).to.equal(false);
  });
});

describe("The next sequence number", () => {
  it("is one more", () => {
    expect(nextSequenceNumber(sequenceNumber(41))).to.equal(42);
  });

  it("does not exist after the greatest", () => {
    expect(() => nextSequenceNumber(sequenceNumber(Number.MAX_SAFE_INTEGER))).to.throw(InvariantViolation);
  });
});
