import { createCodec, wireLimitsOf } from "@quorate/codec";
import {
  DEFAULT_LIMITS,
  type Digest,
  digest,
  epochNumber,
  type Reply,
  replicaId,
  requestNumber,
  type ServerFrame,
  sequenceNumber,
  sessionId,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { answersOther } from "../dist/reply-peek.js";

const codec = createCodec(wireLimitsOf({ limits: DEFAULT_LIMITS }));
const hex32 = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString("hex"));
/** Of every width on the wire. */
const counter = fc.oneof(
  fc.nat(23),
  fc.nat(255),
  fc.nat(65_535),
  fc.nat(2 ** 31 - 1),
  fc.maxSafeNat(),
  fc.constantFrom(23, 24, 255, 256, 65_535, 65_536, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER),
);
const replyOf: fc.Arbitrary<Reply> = fc.record({
  from: fc.nat(2 ** 31 - 1).map(replicaId),
  statement: fc.record({
    epoch: counter.map(epochNumber),
    seq: counter.map(sequenceNumber),
    historyDigest: hex32.map(digest),
    outputsRoot: hex32.map(digest),
  }),
  signature: fc.uint8Array({ minLength: 64, maxLength: 64 }),
  session: hex32.map(sessionId),
  number: counter.map(requestNumber),
  requestDigest: hex32.map(digest),
  results: fc.array(fc.record({ status: fc.constant("ok" as const), value: fc.uint8Array() }), { minLength: 1 }),
  path: fc.constant({ index: 0, size: 1, siblings: [] }),
  view: counter.map(viewNumber),
});
const OTHERS: readonly Digest[] = ["00", "ff"].map((byte) => digest(byte.repeat(32)));

describe("Replies that nobody waits for", () => {
  it("are told from those that somebody does by the digest they name, whatever the widths of their fields", () => {
    fc.assert(
      fc.property(replyOf, (reply) => {
        const frame = codec.encodeServerFrame({ type: "reply", reply });

        expect(answersOther(frame, []), "no request").to.equal(true);
        expect(answersOther(frame, OTHERS), "other requests").to.equal(true);
        expect(answersOther(frame, [...OTHERS, reply.requestDigest]), "its request").to.equal(false);
      }),
    );
  });

  it("are not taken for one whose digest differs in a single digit", () => {
    fc.assert(
      fc.property(replyOf, fc.nat(63), (reply, at) => {
        const frame = codec.encodeServerFrame({ type: "reply", reply });
        const digit = reply.requestDigest[at] === "0" ? "1" : "0";
        const near = digest(reply.requestDigest.slice(0, at) + digit + reply.requestDigest.slice(at + 1));

        expect(answersOther(frame, [near])).to.equal(true);
      }),
    );
  });

  it("do not include frames of other types", () => {
    const frames: readonly ServerFrame[] = [
      { type: "refused", requestDigest: digest("aa".repeat(32)), code: "overloaded" },
      { type: "welcome", epoch: epochNumber(0), view: viewNumber(0), executed: sequenceNumber(9) },
    ];

    for (const frame of frames) expect(answersOther(codec.encodeServerFrame(frame), []), frame.type).to.equal(false);
  });

  it("do not include what a decoder takes for anything else, however a frame was cut or changed", () => {
    const change = fc.record({ at: fc.nat(300), byte: fc.nat(255), length: fc.nat(400) });
    fc.assert(
      fc.property(replyOf, change, (reply, { at, byte, length }) => {
        const frame = codec.encodeServerFrame({ type: "reply", reply }).slice(0, length);
        if (at < frame.length) frame[at] = byte;
        const wasDropped = answersOther(frame, [reply.requestDigest]);
        const decoded = codec.decodeServerFrame(frame);

        if (!decoded.ok) return;
        const answered = decoded.value.type === "reply" ? decoded.value.reply.requestDigest : undefined;
        expect(wasDropped).to.equal(answered !== undefined && answered !== reply.requestDigest);
      }),
      { numRuns: 1_000 },
    );
  });
});
