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
  /** Only of segments of which the disk may have something else than what is shown; undefined where it has none. */
  readonly #synced = new Map<number, Buffer | undefined>();

  get all(): Map<number, Buffer> | undefined {
    return this.#shown;
  }
  /** Puts other ones there, durably. */
  set all(segments: Map<number, Buffer> | undefined) {
    this.#shown = segments;
    this.#synced.clear();
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
    const synced = this.#synced.get(segment);
    if (isSynced && synced !== undefined) this.#synced.set(segment, withBytes(synced, at, bytes));
  }

  /** Not synced. */
  truncate(segment: number, length: number): void {
    const content = this.content(segment);
    this.#unsync(segment);
    this.#shown?.set(segment, content.subarray(0, length));
  }

  sync(segment: number): void {
    this.#synced.delete(segment);
  }

  delete(segment: number): void {
    this.#shown?.delete(segment);
    this.#synced.delete(segment);
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
      if (fate === "kept") continue;
      lacks = true;
      if (synced === undefined) this.#shown?.delete(segment);
      else this.#shown?.set(segment, fate === "lost" ? synced : mixed(synced, this.content(segment), prng));
    }
    this.#synced.clear();
    return lacks;
  }

  #unsync(segment: number): void {
    if (this.#synced.has(segment)) return;
    const content = this.#shown?.get(segment);
    this.#synced.set(segment, content && Buffer.from(content));
  }
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
