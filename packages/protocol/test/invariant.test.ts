import {
  assertNever,
  epochNumber,
  InvariantViolation,
  invariant,
  type LogRecord,
  placeOf,
  replicaId,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { digestOf, signatureOf } from "./builders.ts";

describe("An invariant", () => {
  it("that holds says nothing", () => {
    expect(() => invariant(true, "area.rule")).to.not.throw();
  });

  it("that does not hold throws its code and the facts", () => {
    const violated = (): void => invariant(false, "window.order", { low: 5, executed: 4 });

    expect(violated).to.throw(InvariantViolation, /window\.order.*"low":5,"executed":4/);
    expect(violated).to.throw(InvariantViolation).with.property("code", "window.order");
    expect(violated).to.throw(InvariantViolation).with.deep.property("facts", { low: 5, executed: 4 });
  });

  it("is violated by a branch that the compiler had shown to be empty", () => {
    expect(() => assertNever("surprise" as never)).to.throw(InvariantViolation, /surprise/);
  });
});

describe("A log record", () => {
  const envelope = {
    from: replicaId(0),
    message: {
      type: "pre-prepare",
      epoch: epochNumber(0),
      view: viewNumber(2),
      seq: sequenceNumber(17),
      digest: digestOf(1),
    },
    signature: signatureOf(0),
  } as const;
  const records: readonly LogRecord[] = [
    { type: "pre-prepared", envelope, batch: { timestampMs: 0 as never, requests: [] } },
    { type: "prepared", certificate: { prePrepare: envelope, prepares: [] } },
    {
      type: "stable",
      checkpoint: { epoch: epochNumber(0), seq: sequenceNumber(17), stateRoot: digestOf(2), signatures: [] },
    },
  ];
  for (const record of records)
    it(`of type ${record.type} belongs to the sequence number that it speaks of`, () => {
      expect(placeOf(record).seq).to.equal(17);
    });
});
