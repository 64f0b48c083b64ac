import { isDeepStrictEqual } from "node:util";
import { createCodec, type Decoded, type WireLimits } from "@quorate/codec";
import type { ReplicaFrame } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { readReplicaFrame } from "../dist/frames.js";
import { decodeStrictly } from "../dist/strict-decoder.js";
import { readVoteFrame } from "../dist/vote-frames.js";
import { array, bytes, header, text, uint } from "./cbor-bytes.ts";
import { CODEC, SAMPLE_LIST, SAMPLES } from "./samples.ts";

const { limits } = CODEC;
const VOTES: readonly Uint8Array[] = [SAMPLES.ReplicaFrame.prepare!, SAMPLES.ReplicaFrame.commit!].map((frame) =>
  CODEC.encodeReplicaFrame(frame),
);

const generally = (input: Uint8Array): Decoded<ReplicaFrame> =>
  decodeStrictly(input, "frame", limits.replicaFrame, limits, readReplicaFrame);

/** Demands that both paths agree on these bytes, and says what they are. */
function judge(input: Uint8Array): "vote" | "other" | "refused" {
  const general = generally(input);
  const isVote = general.ok && general.value.type === "signed" && isVoteType(general.value.envelope.message.type);
  const agree =
    isDeepStrictEqual(readVoteFrame(input, limits.replicaFrame), isVote ? general.value : undefined) &&
    isDeepStrictEqual(CODEC.decodeReplicaFrame(input), general);
  if (!agree) expect.fail(`the paths differ on ${Buffer.from(input).toString("hex")}`);
  if (!general.ok) return "refused";
  return isVote ? "vote" : "other";
}
const isVoteType = (type: string): boolean => type === "prepare" || type === "commit";

/** Pieces of a frame that are right most of the time. */
const mostly = (right: fc.Arbitrary<number[]>, ...wrong: fc.Arbitrary<number[]>[]): fc.Arbitrary<number[]> =>
  fc.oneof({ weight: 30, arbitrary: right }, ...wrong.map((arbitrary) => ({ weight: 1, arbitrary })));
const number = fc.oneof(
  fc.constantFrom(0, 1, 23, 24, 255, 256, 65_535, 65_536, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1),
  fc.maxSafeNat(),
);
const wideNumber = fc
  .tuple(fc.nat(255), fc.constantFrom(1 as const, 2 as const, 4 as const, 8 as const))
  .map(([value, width]) => uint(value, width));
const hugeNumber = fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }).map((value) => uint(value));
const counter = mostly(
  number.map((value) => uint(value)),
  wideNumber,
  hugeNumber,
  fc.constantFrom(text("7"), bytes([7]), array(), [0x20], [0xf6], [0x1c], [0x1f]),
);
const code = (...right: number[]): fc.Arbitrary<number[]> =>
  mostly(
    fc.constantFrom(...right.map((value) => uint(value))),
    fc.nat(10).map((value) => uint(value)),
    wideNumber,
  );
const string = (size: number): fc.Arbitrary<number[]> => {
  const content = fc.uint8Array({ minLength: size, maxLength: size }).map((raw) => Array.from(raw));
  return mostly(
    content.map(bytes),
    fc.uint8Array({ maxLength: 2 * size }).map(bytes),
    content.map((raw) => [...header(2, size, 2), ...raw]),
    content.map((raw) => [...header(3, size), ...raw]),
    fc.constant(text("a".repeat(size))),
  );
};
const tuple = (...fields: fc.Arbitrary<number[]>[]): fc.Arbitrary<number[]> => {
  const items = fc.tuple(...fields);
  return mostly(
    items.map((list) => array(...list)),
    items.map((list) => array(...list.slice(0, -1))),
    items.map((list) => array(...list, [0])),
    items.map((list) => [...header(4, list.length, 1), ...list.flat()]),
    items.map((list) => [0x9f, ...list.flat(), 0xff]),
  );
};
const from = mostly(
  fc.oneof(fc.nat(300), fc.nat(2 ** 31 - 1)).map((value) => uint(value)),
  counter,
);
const frame = tuple(code(2), tuple(from, string(64), tuple(code(2, 3), counter, counter, counter, string(32))));

describe("codec on votes, which are read straight from their bytes", () => {
  it("reads every vote so, and no other sample", () => {
    for (const { shape, name, value } of SAMPLE_LIST) {
      const input = shape.encode(value);
      const isVote = shape.kind === "ReplicaFrame" && ["signed", "prepare", "commit"].includes(name);
      expect(readVoteFrame(input, limits.replicaFrame) !== undefined, `${shape.kind} ${name}`).to.equal(isVote);
    }
  });

  it("gives the general path's verdict and value on frames of any form", () => {
    const seen = { vote: 0, other: 0, refused: 0 };
    fc.assert(
      fc.property(frame, (raw) => {
        seen[judge(Uint8Array.from(raw))]++;
      }),
      { numRuns: 6000, seed: 23 },
    );
    expect(seen.vote).to.be.greaterThan(1500);
    expect(seen.refused).to.be.greaterThan(1500);
  });

  it("gives the general path's verdict and value with any other byte in any place", () => {
    const seen = { vote: 0, other: 0, refused: 0 };
    for (const vote of VOTES)
      for (let at = 0; at < vote.length; at++) {
        // Digests and signatures may be anything: a few values are enough for their bytes.
        const step = vote[at] === 0x31 || vote[at] === 0x12 || vote[at] === 0x13 ? 51 : 1;
        for (let byte = 0; byte < 256; byte += step) {
          const changed = Uint8Array.from(vote);
          changed[at] = byte;
          seen[judge(changed)]++;
        }
      }
    expect(seen.vote).to.be.greaterThan(500);
    expect(seen.refused).to.be.greaterThan(500);
  });

  it("gives the general path's verdict on every truncation, and on bytes behind a vote", () => {
    for (const vote of VOTES) {
      for (let length = 0; length < vote.length; length++)
        expect(judge(vote.subarray(0, length)), `${length} bytes`).to.equal("refused");
      for (const tail of [[0], [0xff], [...vote]]) expect(judge(Uint8Array.of(...vote, ...tail))).to.equal("refused");
    }
  });

  it("gives the general path's verdict with bytes changed, put in and taken out", () => {
    const change = fc.tuple(fc.constantFrom("set", "insert", "remove"), fc.nat(), fc.nat(255));
    const seen = { vote: 0, other: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.constantFrom(...VOTES),
        fc.array(change, { minLength: 1, maxLength: 4 }),
        (vote, changes): void => {
          const raw = Array.from(vote);
          for (const [kind, at, byte] of changes)
            raw.splice(at % raw.length, kind === "insert" ? 0 : 1, ...(kind === "remove" ? [] : [byte]));
          seen[judge(Uint8Array.from(raw))]++;
        },
      ),
      { numRuns: 4000, seed: 29 },
    );
    expect(seen.vote).to.be.greaterThan(100);
    expect(seen.refused).to.be.greaterThan(1000);
  });

  it("holds votes to the limits of frames", () => {
    const [vote = new Uint8Array(0)] = VOTES;
    for (const [replicaFrame, code] of [
      [{ ...limits.replicaFrame, bytesMax: vote.length - 1 }, "too-large"],
      [{ ...limits.replicaFrame, itemsMax: 10 }, "too-large"],
      [{ ...limits.replicaFrame, elementsMax: 4 }, "too-many"],
    ] as const) {
      const strict: WireLimits = { ...limits, replicaFrame };
      const decoded = createCodec(strict).decodeReplicaFrame(vote);
      expect(decoded.ok ? "accepted" : decoded.error.code).to.equal(code);
    }
    const exact = { bytesMax: vote.length, itemsMax: 11, elementsMax: 5 };
    expect(decodeStrictly(vote, "frame", exact, limits, readReplicaFrame).ok).to.equal(true);
    expect(readVoteFrame(vote, exact)).to.deep.equal(SAMPLES.ReplicaFrame.prepare);
  });

  it("neither aliases nor keeps the frame", () => {
    const large = Buffer.alloc(1000, 0xff);
    large.set(VOTES[0]!, 10);
    const decoded = CODEC.decodeReplicaFrame(large.subarray(10, 10 + VOTES[0]!.length));
    large.fill(0);

    expect(decoded).to.deep.equal({ ok: true, value: SAMPLES.ReplicaFrame.prepare });
    const signature = decoded.ok && decoded.value.type === "signed" && decoded.value.envelope.signature;
    if (signature === false) throw new Error("not a vote");
    expect(signature.buffer.byteLength).to.equal(64);
    expect(signature.constructor).to.equal(Uint8Array);
  });
});
