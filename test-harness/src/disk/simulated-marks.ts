import type { LogFileDone, MarkFile } from "@quorate/storage/memory";
import type { Prng } from "../prng.ts";
import { SECTOR_BYTES } from "./cached-segments.ts";

/** Versions of one sector of which a power cut leaves any: a system writes back sooner or later. */
const VERSIONS_MAX = 8;

/** The file of a log's flush marks: never synced, so that a power cut leaves any of the last versions of each sector. */
export class SimulatedMarks {
  /** Of each sector, the oldest first: what the disk has for sure, then what it may have. */
  readonly #versions = new Map<number, readonly Buffer[]>();

  /** The file as a process sees it. What an earlier process writes is not there any more: it is dead. */
  open(): MarkFile {
    return {
      read: () => this.content,
      write: (bytes, at) => this.#write(bytes, at),
      close: (done: LogFileDone) => done(null),
    };
  }

  get content(): Buffer {
    const content = Buffer.alloc(SECTOR_BYTES * (1 + Math.max(-1, ...this.#versions.keys())));
    for (const [sector, versions] of this.#versions) content.set(versions.at(-1) ?? [], sector * SECTOR_BYTES);
    return content;
  }

  cutPower(prng: Prng): void {
    for (const [sector, versions] of this.#versions)
      this.#versions.set(sector, versions.slice(prng.integer(0, versions.length - 1)).slice(0, 1));
  }

  /** Of a file that is gone nothing can be read; the next one makes it again. */
  remove(): void {
    this.#versions.clear();
  }

  /** Puts another file into its place, durably. */
  replaceBy(other: SimulatedMarks): void {
    const sectors = [...other.#versions].map(([sector, versions]) => [sector, versions.slice(-1)] as const);
    this.#versions.clear();
    for (const [sector, versions] of sectors) this.#versions.set(sector, versions);
  }

  /** Flips one bit of what is shown, if there is any. */
  flipBit(prng: Prng): void {
    const sectors = [...this.#versions];
    const drawn = sectors[prng.integer(0, Math.max(0, sectors.length - 1))];
    if (drawn === undefined) return;
    const [sector, versions] = drawn;
    const bytes = Buffer.from(versions.at(-1) ?? []);
    const at = prng.integer(0, Math.max(0, bytes.length - 1));
    bytes[at] = (bytes[at] ?? 0) ^ (1 << prng.integer(0, 7));
    this.#versions.set(sector, [...versions.slice(0, -1), bytes]);
  }

  #write(bytes: Buffer, at: number): void {
    const sector = Math.floor(at / SECTOR_BYTES);
    const versions = this.#versions.get(sector) ?? [Buffer.alloc(0)];
    const written = Buffer.alloc(Math.max(versions.at(-1)?.length ?? 0, (at % SECTOR_BYTES) + bytes.length));
    written.set(versions.at(-1) ?? []);
    written.set(bytes, at % SECTOR_BYTES);
    this.#versions.set(sector, [...versions, written].slice(-VERSIONS_MAX));
  }
}
