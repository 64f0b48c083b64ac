import { createCodec, type DecodeError, wireLimitsOf } from "@quorate/codec";
import { DEFAULT_LIMITS } from "@quorate/protocol";
import * as cborg from "cborg";
import { expect } from "chai";
import { CODEC, SAMPLE_LIST, SAMPLES, SHAPES, type Shape } from "./samples.ts";

type Path = readonly number[];

/** The sample as nested arrays, to be changed and encoded again without the codec. */
const wireOf = (shape: Shape, value: unknown): unknown[] => cborg.decode(shape.encode(value));

function changed(wire: unknown, path: Path, change: (old: unknown) => unknown): unknown {
  const [at, ...rest] = path;
  if (at === undefined) return change(wire);
  if (!Array.isArray(wire)) throw new Error(`no array at ${path}`);
  return wire.with(at, changed(wire[at], rest, change));
}

function* pathsOf(wire: unknown, at: Path = []): Generator<Path> {
  yield at;
  if (Array.isArray(wire)) for (const [i, element] of wire.entries()) yield* pathsOf(element, [...at, i]);
}

const shorter = (old: unknown): unknown => (Array.isArray(old) ? old.slice(0, -1) : old);
const longer = (old: unknown): unknown => (Array.isArray(old) ? [...old, 0] : old);

/** A list may lose an element and still be legal; then the shorter list is what its bytes say. */
function expectRefusalOrTheSameBytes(shape: Shape, wire: unknown): DecodeError | undefined {
  const input = Uint8Array.from(cborg.encode(wire));
  const decoded = shape.decode(input);
  if (!decoded.ok) return decoded.error;
  expect(shape.encode(decoded.value)).to.deep.equal(input);
  return undefined;
}

function errorOf(shape: Shape, wire: unknown): DecodeError | undefined {
  const decoded = shape.decode(cborg.encode(wire));
  return decoded.ok ? undefined : decoded.error;
}
const shapeOf = (kind: Shape["kind"]): Shape => SHAPES.find((shape) => shape.kind === kind)!;

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const signature = new Uint8Array(64);
const kindOf = (value: unknown): string =>
  value instanceof Uint8Array ? "bytes" : Array.isArray(value) ? "array" : typeof value;
const OF_EACH_KIND: readonly unknown[] = [7, "text", "__proto__", Uint8Array.of(1), [], [1]];

describe("codec shapes", () => {
  for (const { shape, name, value } of SAMPLE_LIST)
    it(`refuses ${shape.kind} "${name}" with any field of another type`, () => {
      const wire = wireOf(shape, value);

      for (const path of pathsOf(wire))
        changed(wire, path, (old) => {
          for (const other of OF_EACH_KIND) {
            if (kindOf(other) === kindOf(old)) continue;
            const error = errorOf(
              shape,
              changed(wire, path, () => other),
            );
            expect(error, `${path}: ${String(other)}`).to.not.equal(undefined);
            // A type that another field decides (a type number, a count) may be named by that field.
            expect(error!.code).to.be.oneOf(["wrong-type", "wrong-length", "unknown-type", "inconsistent"]);
            expect(error!.path).to.match(/^[a-zA-Z0-9.-]+$/);
          }
          return old;
        });
    });

  for (const { shape, name, value } of SAMPLE_LIST)
    it(`refuses ${shape.kind} "${name}" with a field too few or too many in any fixed place`, () => {
      const wire = wireOf(shape, value);

      for (const path of pathsOf(wire)) {
        expectRefusalOrTheSameBytes(shape, changed(wire, path, shorter));
        const error = expectRefusalOrTheSameBytes(shape, changed(wire, path, longer));
        if (error !== undefined)
          expect(error.code).to.be.oneOf(["wrong-length", "wrong-type", "inconsistent", "not-ascending"]);
      }
    });

  interface Refusal {
    readonly kind: Shape["kind"];
    readonly sample: string;
    readonly path: Path;
    readonly to: (old: unknown) => unknown;
    readonly error: Pick<DecodeError, "code" | "path">;
  }
  const refusals: Readonly<Record<string, Refusal>> = {
    "a frame type of the future": {
      kind: "ReplicaFrame",
      sample: "signed",
      path: [0],
      to: () => 99,
      error: { code: "unknown-type", path: "frame.type" },
    },
    "a message type of the future": {
      kind: "ReplicaFrame",
      sample: "prepare",
      path: [1, 2, 0],
      to: () => 99,
      error: { code: "unknown-type", path: "frame.envelope.message.type" },
    },
    "a pre-prepare without its batch": {
      kind: "ReplicaFrame",
      sample: "prepare",
      path: [1, 2, 0],
      to: () => 1,
      error: { code: "unknown-type", path: "frame.envelope.message.type" },
    },
    "a prepare with a batch": {
      kind: "ReplicaFrame",
      sample: "pre-prepare",
      path: [1, 2, 0],
      to: () => 2,
      error: { code: "unknown-type", path: "frame.envelope.message.type" },
    },
    "evidence of a status": {
      kind: "Evidence",
      sample: "equivocation",
      path: [1, 2, 0],
      to: () => 5,
      error: { code: "unknown-type", path: "evidence.first.message.type" },
    },
    "a sender above the greatest id": {
      kind: "ReplicaFrame",
      sample: "prepare",
      path: [1, 0],
      to: () => 2 ** 31,
      error: { code: "out-of-range", path: "frame.envelope.from" },
    },
    "a signature of 63 bytes": {
      kind: "ReplicaFrame",
      sample: "prepare",
      path: [1, 1],
      to: () => new Uint8Array(63),
      error: { code: "wrong-length", path: "frame.envelope.signature" },
    },
    "a signature of 65 bytes": {
      kind: "ClientFrame",
      sample: "request",
      path: [1, 5],
      to: () => new Uint8Array(65),
      error: { code: "wrong-length", path: "frame.request.signature" },
    },
    "a digest of 31 bytes": {
      kind: "ReplicaFrame",
      sample: "prepare",
      path: [1, 2, 4],
      to: () => new Uint8Array(31),
      error: { code: "wrong-length", path: "frame.envelope.message.digest" },
    },
    "a request without operations": {
      kind: "ClientFrame",
      sample: "request",
      path: [1, 4],
      to: () => [],
      error: { code: "wrong-length", path: "frame.request.operations" },
    },
    "a time without requests": {
      kind: "ReplicaFrame",
      sample: "null batch",
      path: [1, 0],
      to: () => 1,
      error: { code: "inconsistent", path: "frame.batch.timestampMs" },
    },
    "lacks that do not ascend": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 6],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "frame.envelope.message.lacks" },
    },
    "a lack given twice": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 6],
      to: () => [
        [5, 1],
        [5, 2],
      ],
      error: { code: "not-ascending", path: "frame.envelope.message.lacks" },
    },
    "a lack of an unknown thing": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 6, 0, 1],
      to: () => 8,
      error: { code: "out-of-range", path: "frame.envelope.message.lacks.0.mask" },
    },
    "65 lacks": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 6],
      to: () => Array.from({ length: 65 }, (_, i) => [i, 1]),
      error: { code: "too-many", path: "frame.envelope.message.lacks" },
    },
    "a fetch that ends before it starts": {
      kind: "ReplicaFrame",
      sample: "fetch-committed",
      path: [1, 2, 3],
      to: () => 9,
      error: { code: "inconsistent", path: "frame.envelope.message.last" },
    },
    "a fetch of 65 numbers": {
      kind: "ReplicaFrame",
      sample: "fetch-committed",
      path: [1, 2, 3],
      to: () => 74,
      error: { code: "inconsistent", path: "frame.envelope.message.last" },
    },
    "a certificate with a signer twice": {
      kind: "CheckpointCertificate",
      sample: "certificate",
      path: [4, 1, 0],
      to: () => 0,
      error: { code: "not-ascending", path: "checkpoint.signatures" },
    },
    "a certificate of 65 signers": {
      kind: "CommittedEntry",
      sample: "entry",
      path: [2, 4],
      to: () => Array.from({ length: 65 }, (_, i) => [i, signature]),
      error: { code: "too-many", path: "entry.certificate.signatures" },
    },
    "prepares out of order in a record": {
      kind: "LogRecord",
      sample: "prepared",
      path: [1, 1],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "record.certificate.prepares" },
    },
    "a reply without results": {
      kind: "ServerFrame",
      sample: "reply",
      path: [1, 6],
      to: () => [],
      error: { code: "wrong-length", path: "frame.reply.results" },
    },
    "a result status of the future": {
      kind: "ServerFrame",
      sample: "reply",
      path: [1, 6, 1, 0],
      to: () => 15,
      error: { code: "unknown-type", path: "frame.reply.results.1.status" },
    },
    "a judgement beside another result": {
      kind: "ServerFrame",
      sample: "reply",
      path: [1, 6, 1, 0],
      to: () => 16,
      error: { code: "inconsistent", path: "frame.reply.results" },
    },
    "a leaf outside of its tree": {
      kind: "ServerFrame",
      sample: "reply",
      path: [1, 7, 0],
      to: () => 5,
      error: { code: "inconsistent", path: "frame.reply.path.index" },
    },
    "a path of 32 siblings": {
      kind: "Receipt",
      sample: "receipt",
      path: [7, 2],
      to: () => new Array(32).fill(hash(1)),
      error: { code: "too-many", path: "receipt.path.siblings" },
    },
    "a sibling of 33 bytes": {
      kind: "Receipt",
      sample: "receipt",
      path: [7, 2, 1],
      to: () => new Uint8Array(33),
      error: { code: "wrong-length", path: "receipt.path.siblings.1" },
    },
    "a refusal of the future": {
      kind: "ServerFrame",
      sample: "refused",
      path: [2],
      to: () => 4,
      error: { code: "unknown-type", path: "frame.code" },
    },
    "a status that moves back": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 7],
      to: () => 6,
      error: { code: "inconsistent", path: "frame.envelope.message.target" },
    },
    "VIEW-CHANGEs in a status that moves nowhere": {
      kind: "ReplicaFrame",
      sample: "settled status",
      path: [1, 2, 8],
      to: () => [0],
      error: { code: "inconsistent", path: "frame.envelope.message.viewChangesOf" },
    },
    "VIEW-CHANGEs in a status out of order": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 8],
      to: () => [3, 0],
      error: { code: "not-ascending", path: "frame.envelope.message.viewChangesOf" },
    },
    "VIEW-CHANGEs of 65 members in a status": {
      kind: "ReplicaFrame",
      sample: "status",
      path: [1, 2, 8],
      to: () => Array.from({ length: 65 }, (_, i) => i),
      error: { code: "too-many", path: "frame.envelope.message.viewChangesOf" },
    },
    "a VIEW-CHANGE without its proof": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [],
      to: (old) => [2, (old as unknown[][])[1]![0]],
      error: { code: "unknown-type", path: "frame.envelope.message.type" },
    },
    "claims out of order": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 0, 2, 5],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "frame.viewChange.envelope.message.prepared" },
    },
    "a number claimed twice": {
      kind: "LogRecord",
      sample: "view-change",
      path: [2, 0, 2, 5],
      to: (old) => [(old as unknown[])[0], (old as unknown[])[0]],
      error: { code: "not-ascending", path: "record.viewChange.envelope.message.prepared" },
    },
    "a checkpoint of another number than the claimed": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 1, 2],
      to: () => 255,
      error: { code: "inconsistent", path: "frame.viewChange.checkpoint" },
    },
    "a checkpoint of another root than the claimed": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 1, 3],
      to: () => hash(9),
      error: { code: "inconsistent", path: "frame.viewChange.checkpoint" },
    },
    "a claim without its certificate": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 2],
      to: shorter,
      error: { code: "inconsistent", path: "frame.viewChange.certificates" },
    },
    "certificates in another order than their claims": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 2],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "inconsistent", path: "frame.viewChange.certificates" },
    },
    "a certificate of another view than the claimed": {
      kind: "LogRecord",
      sample: "view-change",
      path: [2, 2, 0, 0, 2, 2],
      to: () => 1,
      error: { code: "inconsistent", path: "record.viewChange.certificates" },
    },
    "a certificate of another digest than the claimed": {
      kind: "LogRecord",
      sample: "view-change",
      path: [2, 2, 1, 0, 2, 4],
      to: () => hash(9),
      error: { code: "inconsistent", path: "record.viewChange.certificates" },
    },
    "a certificate of a PREPARE": {
      kind: "ReplicaFrame",
      sample: "view-change",
      path: [1, 2, 0, 0, 2, 0],
      to: () => 2,
      error: { code: "unknown-type", path: "frame.viewChange.certificates.0.prePrepare.message.type" },
    },
    "references out of order": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 0, 2, 3],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "frame.newView.envelope.message.viewChanges" },
    },
    "references to 65 members": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 0, 2, 3],
      to: () => Array.from({ length: 65 }, (_, i) => [i, hash(1)]),
      error: { code: "too-many", path: "frame.newView.envelope.message.viewChanges" },
    },
    "proposals beyond the greatest number": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 0, 2, 4],
      to: () => 2 ** 53 - 3,
      error: { code: "out-of-range", path: "frame.newView.envelope.message.start" },
    },
    "a NEW-VIEW with a VIEW-CHANGE too few": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 1],
      to: shorter,
      error: { code: "inconsistent", path: "frame.newView.viewChanges" },
    },
    "a NEW-VIEW with the VIEW-CHANGE of another": {
      kind: "LogRecord",
      sample: "new-view",
      path: [2, 1, 1, 0],
      to: () => 2,
      error: { code: "inconsistent", path: "record.newView.viewChanges" },
    },
    "a NEW-VIEW with NEW-VIEWs in it": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 1, 0, 2, 0],
      to: () => 9,
      error: { code: "unknown-type", path: "frame.newView.viewChanges.0.message.type" },
    },
    "a NEW-VIEW with certificates out of order": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 3],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "frame.newView.certificates" },
    },
    "a NEW-VIEW with a signature too few": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 4],
      to: shorter,
      error: { code: "inconsistent", path: "frame.newView.prePrepareSignatures" },
    },
    "a NEW-VIEW with a signature of 63 bytes": {
      kind: "ReplicaFrame",
      sample: "new-view",
      path: [1, 4, 1],
      to: () => new Uint8Array(63),
      error: { code: "wrong-length", path: "frame.newView.prePrepareSignatures.1" },
    },
    "evidence with a VIEW-CHANGE too few": {
      kind: "Evidence",
      sample: "unjustified-new-view",
      path: [2],
      to: shorter,
      error: { code: "inconsistent", path: "evidence.viewChanges" },
    },
    "evidence of the future": {
      kind: "Evidence",
      sample: "equivocation",
      path: [0],
      to: () => 3,
      error: { code: "unknown-type", path: "evidence.type" },
    },
    "approvals out of order": {
      kind: "ClientFrame",
      sample: "join",
      path: [1, 5],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "not-ascending", path: "frame.request.approvals" },
    },
    "an approval given twice": {
      kind: "ClientFrame",
      sample: "leave",
      path: [1, 5, 1],
      to: () => [hash(0x2a), signature],
      error: { code: "not-ascending", path: "frame.request.approvals" },
    },
    "65 approvals": {
      kind: "ClientFrame",
      sample: "leave",
      path: [1, 5],
      to: () => Array.from({ length: 65 }, (_, i) => [hash(i), signature]),
      error: { code: "too-many", path: "frame.request.approvals" },
    },
    "a change of the future": {
      kind: "ClientFrame",
      sample: "expel",
      path: [1, 4, 0],
      to: () => 9,
      error: { code: "unknown-type", path: "frame.request.change.type" },
    },
    "a change of no type": {
      kind: "ClientFrame",
      sample: "expel",
      path: [1, 4, 0],
      to: () => 0,
      error: { code: "unknown-type", path: "frame.request.change.type" },
    },
    "a change that brings in a key without its holder's signature": {
      kind: "ClientFrame",
      sample: "rotate-key",
      path: [1, 6],
      to: () => [],
      error: { code: "wrong-length", path: "frame.request.possession" },
    },
    "a signature of possession where no key is brought in": {
      kind: "ClientFrame",
      sample: "rejoin",
      path: [1, 6],
      to: () => [signature],
      error: { code: "wrong-length", path: "frame.request.possession" },
    },
    "a signature of possession of 63 bytes": {
      kind: "ClientFrame",
      sample: "join",
      path: [1, 6, 0],
      to: () => new Uint8Array(63),
      error: { code: "wrong-length", path: "frame.request.possession.0" },
    },
    "an address of 261 bytes": {
      kind: "ClientFrame",
      sample: "join",
      path: [1, 4, 3],
      to: () => new Uint8Array(261).fill(0x61),
      error: { code: "too-many", path: "frame.request.change.address" },
    },
    "an address that is no text": {
      kind: "ClientFrame",
      sample: "join",
      path: [1, 4, 3],
      to: () => Uint8Array.of(0x61, 0xff),
      error: { code: "invalid-utf8", path: "frame.request.change.address" },
    },
    "a joiner's id above the greatest": {
      kind: "ClientFrame",
      sample: "join",
      path: [1, 4, 1],
      to: () => 2 ** 31,
      error: { code: "out-of-range", path: "frame.request.change.id" },
    },
    "a departure that says 2": {
      kind: "ClientFrame",
      sample: "leave",
      path: [1, 4, 2],
      to: () => 2,
      error: { code: "out-of-range", path: "frame.request.change.mayLowerFaultThreshold" },
    },
    "65 admins": {
      kind: "ClientFrame",
      sample: "admins",
      path: [1, 4, 2],
      to: () => Array.from({ length: 65 }, (_, i) => hash(i)),
      error: { code: "too-many", path: "frame.request.change.keys" },
    },
    "a threshold that no admins can reach": {
      kind: "ClientFrame",
      sample: "admins",
      path: [1, 4, 1],
      to: () => 65,
      error: { code: "out-of-range", path: "frame.request.change.threshold" },
    },
    "a batch of five reconfigurations": {
      kind: "ReplicaFrame",
      sample: "reconfigurations",
      path: [1, 1],
      to: (old) => new Array(5).fill((old as unknown[])[1]),
      error: { code: "too-many", path: "frame.batch.requests" },
    },
    "nine links": {
      kind: "ServerFrame",
      sample: "epoch-links",
      path: [1],
      to: (old) => new Array(9).fill((old as unknown[])[0]),
      error: { code: "too-many", path: "frame.links" },
    },
    "links of one epoch": {
      kind: "ServerFrame",
      sample: "epoch-links",
      path: [1],
      to: (old) => new Array(2).fill((old as unknown[])[0]),
      error: { code: "inconsistent", path: "frame.links" },
    },
    "links that go back": {
      kind: "ReplicaFrame",
      sample: "epoch-links",
      path: [1],
      to: (old) => (old as unknown[]).toReversed(),
      error: { code: "inconsistent", path: "frame.links" },
    },
    "a link with a gap before it": {
      kind: "ReplicaFrame",
      sample: "epoch-links",
      path: [1, 1, 1, 1],
      to: () => 2,
      error: { code: "inconsistent", path: "frame.links" },
    },
    "a link of the future": {
      kind: "EpochLink",
      sample: "first",
      path: [0],
      to: () => 2,
      error: { code: "unknown-type", path: "link.type" },
    },
    "a link without a record": {
      kind: "EpochLink",
      sample: "first",
      path: [2],
      to: () => new Uint8Array(0),
      error: { code: "wrong-length", path: "link.record" },
    },
    "a link with a record that is too long": {
      kind: "EpochLink",
      sample: "first",
      path: [2],
      to: () => new Uint8Array(32_769),
      error: { code: "too-many", path: "link.record" },
    },
    "a proof without the root": {
      kind: "EpochLink",
      sample: "first",
      path: [3, 0],
      to: () => [],
      error: { code: "wrong-length", path: "link.proof.excerpts" },
    },
    "a proof deeper than any path": {
      kind: "EpochLink",
      sample: "first",
      path: [3, 0],
      to: (old) => new Array(34).fill((old as unknown[])[0]),
      error: { code: "too-many", path: "link.proof.excerpts" },
    },
    "the head of no page": {
      kind: "EpochLink",
      sample: "later",
      path: [3, 0, 1, 0],
      to: () => new Uint8Array(520),
      error: { code: "wrong-length", path: "link.proof.excerpts.1.head" },
    },
    "the group of no page": {
      kind: "EpochLink",
      sample: "later",
      path: [3, 0, 1, 1],
      to: () => new Uint8Array(514),
      error: { code: "too-many", path: "link.proof.excerpts.1.group" },
    },
    "slots of more than a bucket": {
      kind: "EpochLink",
      sample: "later",
      path: [3, 1, 0],
      to: () => new Uint8Array(4_196),
      error: { code: "too-many", path: "link.proof.slots.0" },
    },
    "a query of the future": {
      kind: "ClientFrame",
      sample: "read-state",
      path: [1, 1, 0],
      to: () => 3,
      error: { code: "unknown-type", path: "frame.read.query.type" },
    },
    "a read of no key": {
      kind: "ClientFrame",
      sample: "read-state",
      path: [1, 1, 1],
      to: () => [],
      error: { code: "wrong-length", path: "frame.read.query.keys" },
    },
    "a read of 65 keys": {
      kind: "ClientFrame",
      sample: "read-state",
      path: [1, 1, 1],
      to: (old) => new Array(65).fill((old as unknown[])[0]),
      error: { code: "too-many", path: "frame.read.query.keys" },
    },
    "a read of a key that no service has": {
      kind: "ClientFrame",
      sample: "read-state",
      path: [1, 1, 1, 0],
      to: () => new Uint8Array(1_025),
      error: { code: "too-many", path: "frame.read.query.keys.0" },
    },
    "a range without entries": {
      kind: "ClientFrame",
      sample: "read-state of a range",
      path: [1, 1, 3],
      to: () => 0,
      error: { code: "out-of-range", path: "frame.read.query.limit" },
    },
    "a range of 65 entries": {
      kind: "ClientFrame",
      sample: "read-state of a range",
      path: [1, 1, 3],
      to: () => 65,
      error: { code: "out-of-range", path: "frame.read.query.limit" },
    },
    "a range with two ends": {
      kind: "ClientFrame",
      sample: "read-state of a range",
      path: [1, 1, 2],
      to: (old) => [...(old as unknown[]), ...(old as unknown[])],
      error: { code: "wrong-length", path: "frame.read.query.to" },
    },
    "an answer of the future": {
      kind: "ServerFrame",
      sample: "state-read",
      path: [1, 0],
      to: () => 4,
      error: { code: "unknown-type", path: "frame.read.type" },
    },
    "an answer without values": {
      kind: "ServerFrame",
      sample: "state-read",
      path: [1, 3],
      to: () => [],
      error: { code: "wrong-length", path: "frame.read.values" },
    },
    "an answer of 65 values": {
      kind: "ServerFrame",
      sample: "state-read",
      path: [1, 3],
      to: (old) => new Array(65).fill((old as unknown[])[0]),
      error: { code: "too-many", path: "frame.read.values" },
    },
    "two values for one key": {
      kind: "ServerFrame",
      sample: "state-read",
      path: [1, 3, 0, 0],
      to: (old) => [...(old as unknown[]), ...(old as unknown[])],
      error: { code: "wrong-length", path: "frame.read.values.0.value" },
    },
    "a refusal to read for a reason of the future": {
      kind: "ServerFrame",
      sample: "unavailable: no-state",
      path: [1, 2],
      to: () => 6,
      error: { code: "unknown-type", path: "frame.read.reason" },
    },
    "a layout of the future": {
      kind: "Receipt",
      sample: "receipt",
      path: [0],
      to: () => 2,
      error: { code: "unknown-type", path: "receipt.type" },
    },
  };
  for (const [name, { kind, sample, path, to, error }] of Object.entries(refusals))
    it(`refuses ${name}`, () => {
      const shape = shapeOf(kind);
      const wire = changed(wireOf(shape, shape.samples[sample]), path, to);

      const { code, path: where } = errorOf(shape, wire)!;

      expect({ code, path: where }).to.deep.equal(error);
    });

  it("refuses what is too much for this cluster and legal in another", () => {
    const limits = wireLimitsOf({
      limits: {
        ...DEFAULT_LIMITS,
        batchRequestsMax: 2,
        batchBytesMax: 20,
        batchOperationsMax: 5,
        requestOperationsMax: 3,
        requestBytesMax: 12,
        resultBytesMax: 4,
      },
    });
    const codec = createCodec(limits);
    const operations = (...sizes: number[]): unknown => [
      1,
      hash(1),
      hash(2),
      1,
      sizes.map((n) => new Uint8Array(n)),
      signature,
    ];
    const body = (...requests: unknown[]): unknown => [4, [9, requests]];
    const codeOf = (wire: unknown): string => {
      const decoded = codec.decodeReplicaFrame(cborg.encode(wire));
      return decoded.ok ? "accepted" : `${decoded.error.code} ${decoded.error.path}`;
    };

    expect(codeOf(body(operations(4, 4, 4), operations(8)))).to.equal("accepted");
    expect(codeOf(body(operations(4, 4, 5)))).to.equal("too-many frame.batch.requests.0.operations.length");
    expect(codeOf(body(operations(1, 1, 1, 1)))).to.equal("too-many frame.batch.requests.0.operations");
    expect(codeOf(body(operations(1, 1, 1), operations(1, 1)))).to.equal("accepted");
    expect(codeOf(body(operations(1, 1, 1), operations(1, 1, 1)))).to.equal("too-many frame.batch.requests");
    expect(codeOf(body(operations(12), operations(9)))).to.equal("too-many frame.batch.requests");
    expect(codeOf(body(operations(1), operations(1), operations(1)))).to.equal("too-many frame.batch.requests");
  });

  it("refuses more claims or proposals than the greatest window of the cluster has numbers", () => {
    // 2^30 bytes are 256 batches of 4 MiB.
    const codec = createCodec(wireLimitsOf({ limits: { ...DEFAULT_LIMITS, batchBytesMax: 4 << 20 } }));
    const codeOf = (sample: "view-change" | "new-view", count: number, element: (i: number) => unknown): string => {
      const wire = cborg.decode(CODEC.encodeReplicaFrame(SAMPLES.ReplicaFrame[sample]!));
      const elements = Array.from({ length: count }, (_, i) => element(i));
      const decoded = codec.decodeReplicaFrame(cborg.encode(changed(wire, [1, 0, 2, 5], () => elements)));
      return decoded.ok ? "accepted" : `${decoded.error.code} ${decoded.error.path}`;
    };
    const claim = (i: number): unknown => [i, 0, hash(1)];
    const where = (sample: string): string => `too-many frame.${sample}.envelope.message`;
    expect(codeOf("view-change", 257, claim)).to.equal(`${where("viewChange")}.prepared`);
    expect(codeOf("view-change", 256, claim)).to.not.match(/too-many/);
    expect(codeOf("new-view", 257, () => hash(1))).to.equal(`${where("newView")}.digests`);
    expect(codeOf("new-view", 256, () => hash(1))).to.not.match(/too-many/);
  });

  it("refuses results that are too long, one by one or together", () => {
    const limits = { ...DEFAULT_LIMITS, requestOperationsMax: 3, resultBytesMax: 1000 };
    const codec = createCodec(wireLimitsOf({ limits }));
    const wire = cborg.decode(CODEC.encodeServerFrame(SAMPLES.ServerFrame.reply!));
    const verdictOn = (...sizes: number[]): string => {
      const results = sizes.map((size) => [0, new Uint8Array(size)]);
      const decoded = codec.decodeServerFrame(cborg.encode(changed(wire, [1, 6], () => results)));
      return decoded.ok ? "accepted" : `${decoded.error.code} ${decoded.error.path}`;
    };

    expect(verdictOn(1000, 256, 256)).to.equal("accepted");
    expect(verdictOn(1001)).to.equal("too-many frame.reply.results.0.value");
    expect(verdictOn(1000, 768)).to.equal("accepted");
    expect(verdictOn(1000, 769)).to.equal("too-many frame.reply.results");
    expect(verdictOn(1, 1, 1, 1)).to.equal("too-many frame.reply.results");
  });

  it("decodes nothing but the kind it was asked for", () => {
    const bytes = CODEC.encodeLogRecord(SAMPLES.LogRecord.stable!);

    expect(CODEC.decodeReplicaFrame(bytes).ok).to.equal(false);
    expect(CODEC.decodeReceipt(bytes).ok).to.equal(false);
  });
});
