import type { Prng } from "../prng.ts";

/** What a disk writes whole or not at all. */
export const SECTOR_BYTES = 512;

/**
 * The segments of a log as an operating system shows them, and of those that a killed process left unsynced what the disk
 * has for sure.
 */
export class CachedSegments {
  /** Undefined when not even their folder is there. */
  #shown: Map<number, Buffer> | undefined = new Map([[1, Buffer.alloc(0)]]);
  /** Sectors, by segment, that a write failed to bring to the disk while the system holds them for written: no sync helps. */
  readonly #clean = new Map<number, Set<number>>();
  /** Only of segments of which the disk may have something else than what is shown; undefined where it has none. */
  readonly #synced = new Map<number, Buffer | undefined>();

  get all(): Map<number, Buffer> | undefined {
    return this.#shown;
  }
  /** Puts other ones there, durably. */
  set all(segments: Map<number, Buffer> | undefined) {
    this.#shown = segments;
    this.#forget();
  }

  /** @throws Error when it is not there. */
  content(segment: number): Buffer {
    const content = this.#shown?.get(segment);
    if (content === undefined) throw new Error(`segment ${segment} is not there`);
    return content;
  }

  /** Makes an empty one. */
  create(segment: number, isSynced: boolean): void {
    if (!isSynced) this.#unsync(segment);
    this.#shown?.set(segment, Buffer.alloc(0));
  }

  /** Writes bytes, as far as the disk or as far as the operating system. */
  put(segment: number, at: number, bytes: Uint8Array, isSynced: boolean): void {
    const content = this.#shown?.get(segment);
    if (content === undefined) return;
    if (!isSynced) this.#unsync(segment);
    this.#shown?.set(segment, withBytes(content, at, bytes));
    for (const sector of sectorsOf(at, bytes)) this.#clean.get(segment)?.delete(sector);
    const synced = this.#synced.get(segment);
    if (isSynced && synced !== undefined) this.#synced.set(segment, withBytes(synced, at, bytes));
  }

  /** A write that failed: the system shows it, and does not know any more that the disk lacks it. */
  putInVain(segment: number, at: number, bytes: Uint8Array): void {
    this.put(segment, at, bytes, false);
    const clean = this.#clean.get(segment) ?? new Set();
    for (const sector of sectorsOf(at, bytes)) clean.add(sector);
    this.#clean.set(segment, clean);
  }

  /** Not synced. */
  truncate(segment: number, length: number): void {
    const content = this.content(segment);
    this.#unsync(segment);
    this.#shown?.set(segment, content.subarray(0, length));
    const clean = this.#clean.get(segment) ?? new Set();
    for (const sector of clean) if (sector * SECTOR_BYTES >= length) clean.delete(sector);
  }

  /** Writes what the system knows the disk to lack. */
  sync(segment: number): void {
    if (!this.#synced.has(segment)) return;
    if ((this.#clean.get(segment)?.size ?? 0) > 0) this.#synced.set(segment, this.#writtenBack(segment));
    else this.#synced.delete(segment);
  }

  delete(segment: number): void {
    this.#shown?.delete(segment);
    this.#synced.delete(segment);
    this.#clean.delete(segment);
  }

  /**
   * Of what was not synced the disk has nothing, all, or some sectors.
   *
   * @returns whether it lacks anything.
   */
  cutPower(prng: Prng): boolean {
    let lacks = false;
    for (const [segment, synced] of this.#synced) {
      const fate = prng.pick(["lost", "kept", "sectors"]);
      if (fate === "kept") {
        this.#shown?.set(segment, this.#writtenBack(segment));
        continue;
      }
      lacks = true;
      if (synced === undefined) this.#shown?.delete(segment);
      else this.#shown?.set(segment, fate === "lost" ? synced : mixed(synced, this.#writtenBack(segment), prng));
    }
    this.#forget();
    return lacks;
  }

  /** What the disk has of a segment once the system has written all that it knows to be missing there. */
  #writtenBack(segment: number): Buffer {
    const content = Buffer.from(this.content(segment));
    const before = this.#synced.get(segment) ?? Buffer.alloc(0);
    for (const sector of this.#clean.get(segment) ?? []) {
      const [from, to] = [sector * SECTOR_BYTES, Math.min((sector + 1) * SECTOR_BYTES, content.length)];
      content.fill(0, from, to).set(before.subarray(from, to), from);
    }
    return content;
  }

  #forget(): void {
    this.#synced.clear();
    this.#clean.clear();
  }

  #unsync(segment: number): void {
    if (this.#synced.has(segment)) return;
    const content = this.#shown?.get(segment);
    this.#synced.set(segment, content && Buffer.from(content));
  }
}

function sectorsOf(at: number, { length }: Uint8Array): readonly number[] {
  const first = Math.floor(at / SECTOR_BYTES);
  return Array.from({ length: Math.ceil((at + length) / SECTOR_BYTES) - first }, (_, i) => first + i);
}

/** Longer where it must be; else in place. */
function withBytes(content: Buffer, at: number, bytes: Uint8Array): Buffer {
  let written = content;
  if (at + bytes.length > content.length) {
    written = Buffer.alloc(at + bytes.length);
    written.set(content);
  }
  written.set(bytes, at);
  return written;
}

function mixed(some: Buffer, others: Buffer, prng: Prng): Buffer {
  const result = Buffer.alloc(Math.max(some.length, others.length));
  for (let at = 0; at < result.length; at += SECTOR_BYTES)
    result.set((prng.chance(0.5) ? some : others).subarray(at, at + SECTOR_BYTES), at);
  return result;
}
