import { createCodec, wireLimitsOf } from "@quorate/codec";
import { type Batch, DEFAULT_LIMITS, type Envelope, InvariantViolation, replicaId } from "@quorate/protocol";
import { setSizeLimits } from "cbor-x/decode";
import { expect } from "chai";
import fc from "fast-check";
import { VALUES } from "./arbitraries.ts";
import { CODEC, MESSAGES, REQUESTS, SAMPLE_LIST, SAMPLES, SHAPES } from "./samples.ts";

const NOTHING = new Uint8Array(0);

describe("codec round trip", () => {
  for (const { shape, name, value } of SAMPLE_LIST)
    it(`gives back ${shape.kind} "${name}" and its bytes`, () => {
      const bytes = shape.encode(value);

      const decoded = shape.decode(bytes);

      expect(decoded).to.deep.equal({ ok: true, value });
      expect(shape.encode(decoded.ok && decoded.value)).to.deep.equal(bytes);
    });

  for (const shape of SHAPES)
    it(`has one encoding for every ${shape.kind}`, () => {
      fc.assert(
        fc.property(VALUES[shape.kind], (value) => {
          const bytes = shape.encode(value);
          const decoded = shape.decode(bytes);
          expect(decoded).to.deep.equal({ ok: true, value });
          expect(shape.encode(decoded.ok && decoded.value)).to.deep.equal(bytes);
        }),
        { numRuns: 150, seed: 20_261 },
      );
    });

  it("is tried with every type that there is, of frames, messages, records and evidence", () => {
    for (const kind of ["ReplicaFrame", "ClientFrame", "ServerFrame", "LogRecord", "Evidence"] as const) {
      const drawn = fc.sample(VALUES[kind], { numRuns: 1_000, seed: 20_261 });
      expect(typesIn(drawn), kind).to.have.all.keys(...typesIn(Object.values(SAMPLES[kind])));
    }
  });

  it("gives every sample different bytes within its kind", () => {
    for (const shape of SHAPES) {
      const values = Object.values(shape.samples);
      const distinct = new Set(values.map((value) => Buffer.from(shape.encode(value)).toString("hex")));
      // The table names `signed` by its frame type and again by its message type.
      expect(distinct.size, shape.kind).to.equal(shape.kind === "ReplicaFrame" ? values.length - 1 : values.length);
    }
  });

  it("writes a batch alike wherever it stands, whether its bytes are remembered, forgotten or too many", () => {
    const sample = SAMPLES.ReplicaFrame["pre-prepare"]!;
    const record = SAMPLES.LogRecord["pre-prepared"]!;
    const entry = Object.values(SAMPLES.CommittedEntry)[0]!;
    if (sample.type !== "pre-prepare" || record.type !== "pre-prepared") throw new Error("the samples are others");
    const homesOf = (batch: Batch): readonly Uint8Array[] => [
      CODEC.encodeReplicaFrame({ ...sample, batch }),
      CODEC.encodeReplicaFrame({ type: "batch-body", batch }),
      CODEC.encodeLogRecord({ ...record, batch }),
      CODEC.encodeCommittedEntry({ ...entry, batch }),
    ];
    const request = sample.batch.requests.find(({ type }) => type === "operations");
    if (request?.type !== "operations") throw new Error("the sample has no operations");
    const batchOf = (timestampMs: number, bytes: number): Batch => ({
      timestampMs: timestampMs as Batch["timestampMs"],
      requests: [{ ...request, operations: [new Uint8Array(bytes).fill(timestampMs)] }],
    });
    const batches = Array.from({ length: 40 }, (_, i) => batchOf(i + 1, i % 8 === 0 ? 140_000 : i));
    const first = batches.map(homesOf);

    expect(batches.map(homesOf)).to.deep.equal(first);
    expect(batches.map((batch) => homesOf(structuredClone(batch)))).to.deep.equal(first);
    for (const [frame = NOTHING, , logged = NOTHING, committed = NOTHING] of first) {
      expect(CODEC.decodeReplicaFrame(frame).ok).to.equal(true);
      expect(CODEC.decodeLogRecord(logged).ok).to.equal(true);
      expect(CODEC.decodeCommittedEntry(committed).ok).to.equal(true);
    }
  });

  it("hands out bytes that a later encoding does not overwrite", () => {
    const first = CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame["pre-prepare"]!);
    const copy = Uint8Array.from(first);

    for (let i = 0; i < 100; i++) CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame.committed!);

    expect(first).to.deep.equal(copy);
  });

  it("hands out what is kept for long in memory of its own", () => {
    for (const kept of [
      CODEC.encodeReceipt(SAMPLES.Receipt.receipt!),
      CODEC.encodeEvidence(SAMPLES.Evidence.equivocation!),
      CODEC.encodeCheckpointCertificate(SAMPLES.CheckpointCertificate.certificate!),
      CODEC.encodeEpochLink(SAMPLES.EpochLink.first!),
    ])
      expect(kept.buffer.byteLength).to.equal(kept.length);
  });

  it("decodes values that neither alias nor keep the frame", () => {
    const frame = Buffer.from(CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame["pre-prepare"]!));
    const decoded = CODEC.decodeReplicaFrame(frame);
    frame.fill(0);

    expect(decoded).to.deep.equal({ ok: true, value: SAMPLES.ReplicaFrame["pre-prepare"] });
    const signature = decoded.ok && decoded.value.type === "pre-prepare" && decoded.value.envelope.signature;
    if (signature === false) throw new Error("not a pre-prepare");
    expect(signature.buffer.byteLength).to.equal(64);
    expect(signature.constructor).to.equal(Uint8Array);
  });

  it("decodes a frame in the middle of a larger buffer and leaves the buffer as it was", () => {
    const frame = CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame.status!);
    const large = new Uint8Array(frame.length + 20).fill(0xff);
    large.set(frame, 10);
    const view = large.subarray(10, 10 + frame.length);

    expect(CODEC.decodeReplicaFrame(view)).to.deep.equal({ ok: true, value: SAMPLES.ReplicaFrame.status });
    expect(Object.keys(view).filter((key) => Number.isNaN(Number(key)))).to.deep.equal([]);
  });

  it("encodes a Buffer as it encodes the same bytes", () => {
    const envelope = { from: replicaId(2), message: MESSAGES.commit, signature: new Uint8Array(64).fill(9) };
    const plain = CODEC.encodeReplicaFrame({ type: "signed", envelope });

    const buffer = CODEC.encodeReplicaFrame({
      type: "signed",
      envelope: { ...envelope, signature: Buffer.alloc(64, 9) },
    });

    expect(buffer).to.deep.equal(plain);
  });

  it("gives values that keep nothing of the frame, of a Buffer neither", () => {
    for (const { shape, name, value } of SAMPLE_LIST) {
      const bytes = Buffer.from(shape.encode(value));

      const decoded = shape.decode(bytes);
      bytes.fill(0xff);

      expect(decoded, `${shape.kind} ${name}`).to.deep.equal({ ok: true, value });
    }
  });

  it("answers with a value when the decoder behind the pre-scan throws", () => {
    const frame = CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame.committed!);
    try {
      setSizeLimits({ maxArraySize: 2 });
      const decoded = CODEC.decodeReplicaFrame(frame);
      expect(decoded.ok ? "accepted" : decoded.error.code).to.equal("undecodable");
    } finally {
      setSizeLimits({ maxArraySize: 112_810_000 });
    }
    expect(CODEC.decodeReplicaFrame(frame)).to.deep.equal({ ok: true, value: SAMPLES.ReplicaFrame.committed });
  });

  it("stops the process over a value of ours that has no encoding", () => {
    const good = { from: replicaId(1), message: MESSAGES.commit, signature: new Uint8Array(64) };
    const bad: readonly object[] = [
      { ...good, signature: new Uint8Array(63) },
      { ...good, from: -1 },
      { ...good, message: { ...MESSAGES.commit, seq: 1.5 } },
      { ...good, message: { ...MESSAGES.commit, seq: -0 } },
      { ...good, message: { ...MESSAGES.commit, seq: 2 ** 53 } },
      { ...good, message: { ...MESSAGES.commit, digest: "00" } },
      { ...good, message: { ...MESSAGES.commit, digest: "G".repeat(64) } },
    ];
    for (const envelope of bad)
      expect(
        () => CODEC.encodeReplicaFrame({ type: "signed", envelope: envelope as typeof good }),
        JSON.stringify(envelope),
      ).to.throw(InvariantViolation);
  });

  it("encodes the next value as ever after one that has no encoding", () => {
    const good = SAMPLES.ReplicaFrame["pre-prepare"]!;
    const bytes = CODEC.encodeReplicaFrame(good);
    const spoilt = { type: "signed", envelope: { from: 1, message: MESSAGES.commit, signature: new Uint8Array(63) } };

    expect(() => CODEC.encodeReplicaFrame(spoilt as never)).to.throw(InvariantViolation);
    expect(CODEC.encodeReplicaFrame(good)).to.deep.equal(bytes);
  });

  it("stops the process over a frame of ours that nobody would accept", () => {
    const small = createCodec(
      wireLimitsOf({
        limits: { ...DEFAULT_LIMITS, requestBytesMax: 1024, requestOperationsMax: 1 },
      }),
    );
    const request = { ...REQUESTS.operations, operations: [new Uint8Array(70_000)] };

    expect(() => small.encodeClientFrame({ type: "request", request } as never)).to.throw(/codec\.too-large/);
  });
});

/** The types of values, and of the messages in them. */
function typesIn(values: readonly unknown[]): Set<string> {
  const typed = values as readonly { readonly type: string; readonly envelope?: Pick<Envelope, "message"> }[];
  return new Set(typed.flatMap(({ type, envelope }) => [type, `${type} ${envelope?.message?.type}`]));
}
