import type { DurableEntries } from "@quorate/storage/memory";
import type { Prng } from "../prng.ts";
import type { SimulatedMarks } from "./simulated-marks.ts";

/** What becomes of a disk at rest, below what had been flushed. */
export const DISK_DAMAGES = [
  "bit-in-log",
  "bit-in-header",
  "bit-in-entry",
  "truncated",
  "zero-tail",
  "garbage-tail",
  "misdirected-write",
  "missing-segment",
  "missing-log",
  "missing-database",
  "foreign-log",
  "foreign-folder",
  "truncated-and-no-marks",
  "bit-in-marks",
] as const;
export type DiskDamage = (typeof DISK_DAMAGES)[number];
/** That by itself takes nothing away: only together with another is anything lost. */
export const HARMLESS_DAMAGES: readonly DiskDamage[] = ["bit-in-marks"];

/** All that a replica keeps on its disk. */
export interface DiskContent {
  /** Of the log, by number; undefined when not even their folder is there. */
  segments: Map<number, Buffer> | undefined;
  /** Of the database. */
  entries: DurableEntries;
  /** Of the log's flushes. */
  readonly marks: SimulatedMarks;
}

/** What damage is drawn by. */
export interface DamageDraw {
  /** Another replica's disk. */
  readonly other: DiskContent;
  readonly prng: Prng;
  /** The probability that damage to the log hits what was written, and not perhaps the zeros behind it, which harms nobody. */
  readonly aimed: number;
}

/** What begins every group of a log. */
const GROUP_MAGIC = "QWAL";
const GROUP_HEADER_BYTES = 52;
/** The first bytes of keys whose values carry a checksum: history, its tally, the mark of the log, the identity. */
const SEALED = [0x68, 0x67, 0x6e, 0x6d];

/**
 * Damages a disk.
 *
 * @returns the key of the entry that was damaged, when it was one.
 */
export function damageDisk(
  damage: DiskDamage,
  disk: DiskContent,
  { other, prng, aimed }: DamageDraw,
): Uint8Array | undefined {
  switch (damage) {
    case "bit-in-entry":
      return flipInEntry(disk.entries, prng);
    case "missing-log":
      disk.segments = undefined;
      return undefined;
    case "missing-database":
      disk.entries = new Map();
      return undefined;
    case "foreign-folder":
      disk.segments = copyOf(other.segments);
      disk.entries = new Map(other.entries);
      disk.marks.replaceBy(other.marks);
      return undefined;
    case "foreign-log":
      disk.segments = copyOf(other.segments);
      return undefined;
    case "bit-in-marks":
      disk.marks.flipBit(prng);
      return undefined;
    case "truncated-and-no-marks":
      disk.marks.remove();
      if (disk.segments !== undefined) damageLog("truncated", disk.segments, prng, aimed);
      return undefined;
    default:
      if (disk.segments !== undefined) damageLog(damage, disk.segments, prng, aimed);
      return undefined;
  }
}

function copyOf(segments: DiskContent["segments"]): DiskContent["segments"] {
  return segments && new Map([...segments].map(([number, content]) => [number, Buffer.from(content)]));
}

function damageLog(damage: DiskDamage, segments: Map<number, Buffer>, prng: Prng, aimed: number): void {
  const number = [...segments.keys()][prng.integer(0, segments.size - 1)] ?? 0;
  const content = segments.get(number);
  if (content === undefined) return;
  const written = content.findLastIndex((byte) => byte !== 0) + 1;
  const at = prng.integer(0, Math.max(0, (prng.chance(aimed) ? written : content.length) - 1));
  switch (damage) {
    case "bit-in-log":
      return flip(content, at, prng);
    case "bit-in-header":
      return flip(content, inHeader(content, prng), prng);
    case "truncated":
      segments.set(number, content.subarray(0, at));
      return;
    case "zero-tail":
      content.fill(0, at);
      return;
    case "garbage-tail":
      content.set(prng.bytes(content.length - at), at);
      return;
    case "misdirected-write": {
      const bytes = Buffer.from(content.subarray(at, at + prng.integer(1, 512)));
      content.set(bytes.subarray(0, content.length), prng.integer(0, Math.max(0, content.length - bytes.length)));
      return;
    }
    case "missing-segment":
      segments.delete(number);
  }
}

function inHeader(content: Buffer, prng: Prng): number {
  const starts: number[] = [];
  for (let at = content.indexOf(GROUP_MAGIC); at !== -1; at = content.indexOf(GROUP_MAGIC, at + 1)) starts.push(at);
  return (starts[prng.integer(0, starts.length - 1)] ?? 0) + prng.integer(0, GROUP_HEADER_BYTES - 1);
}

function flipInEntry(entries: DurableEntries, prng: Prng): Uint8Array | undefined {
  const region = prng.pick([0x68, 0x68, ...SEALED]);
  const keys = [...entries.keys()].filter((text) => text.charCodeAt(0) === region).sort();
  const text = keys[prng.integer(0, keys.length - 1)];
  const entry = text === undefined ? undefined : entries.get(text);
  if (text === undefined || entry?.value === undefined) return undefined;
  const value = Buffer.from(entry.value);
  flip(value, prng.integer(0, value.length - 1), prng);
  entries.set(text, { key: entry.key, value });
  return entry.key;
}

function flip(bytes: Uint8Array, at: number, prng: Prng): void {
  const byte = bytes[at];
  if (byte !== undefined) bytes[at] = byte ^ (1 << prng.integer(0, 7));
}
