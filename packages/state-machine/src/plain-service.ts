import { allocateBytes, compareBytes, copyBytes, invariant } from "@quorate/protocol";
import {
  type ExecutionContext,
  type Service,
  STATE_KEY_BYTES_MAX,
  type StateLimits,
  type StateReader,
  type StateStore,
} from "./service.ts";

/** A part of a service's objects as bytes. */
export interface Chunk {
  /** Which part: the same as long as it is there, at most `CHUNK_KEY_BYTES_MAX` bytes. */
  readonly key: Uint8Array;
  /** Of any length. */
  readonly bytes: Uint8Array;
}

/**
 * A service with objects of its own instead of a state in keys and values. Its objects must be a function of what `restore` was
 * given and of the operations since, in all that an operation can see: the order of a Map too, which is that of its
 * insertions. Replicas restore at different times.
 */
export interface PlainService {
  /**
   * Executes an operation on the objects; the rules of `Service.execute` hold. One that throws is executed as failed and its
   * changes are undone, which costs a `restore` and the operations of its batch before it: throw a `Refusal` instead
   * where nothing has been changed yet.
   */
  execute(operation: Uint8Array, context: ExecutionContext): Uint8Array;
  /** All objects as chunks, equal bytes for equal objects. Called after each batch: only chunks that differ are written. */
  snapshot(): Iterable<Chunk>;
  /** Replaces all objects by those in these chunks, ascending by key; without any it is the start of the service. */
  restore(chunks: Iterable<Chunk>): void;
}

/** An operation is refused before anything was changed: there is nothing to undo. */
export class Refusal extends Error {
  constructor(message: string) {
    super(message);
    this.name = "Refusal";
  }
}

/** In front of a chunk's key is its length, behind it the number of a piece. */
const LENGTH_BYTES = 2;
const PIECE_BYTES = 4;
/** The longest key of a chunk. */
export const CHUNK_KEY_BYTES_MAX: number = STATE_KEY_BYTES_MAX - LENGTH_BYTES - PIECE_BYTES;

const EVERYTHING = new Uint8Array(0);

/** A service with plain objects as a `Service`: its chunks are entries of the state, written at the end of each batch. */
export function plainService(plain: PlainService): Service {
  return new PlainServiceOnState(plain);
}

/** A chunk as the state has it. */
interface StoredChunk extends Chunk {
  /** How long its pieces are, but the last: those of a restored cluster may be shorter than its own would be. */
  readonly pieceBytes: number;
}

interface Executed {
  readonly operation: Uint8Array;
  readonly context: ExecutionContext;
  isRefused: boolean;
}

class PlainServiceOnState implements Service {
  readonly #plain: PlainService;
  /** The chunks in the state as of the last batch, by their keys as text. */
  #chunks: ReadonlyMap<string, StoredChunk> = new Map();
  /** Since the last batch ended. What was undone counts: whether nothing is left of it, only the objects tell. */
  #hasExecuted = false;
  /** What of this batch has been executed; bounded by the batch. */
  readonly #batch: Executed[] = [];

  constructor(plain: PlainService) {
    this.#plain = plain;
  }

  open(state: StateReader): void {
    this.#batch.length = 0;
    this.#hasExecuted = false;
    this.#chunks = readChunks(state);
    this.#restore();
  }

  execute(operation: Uint8Array, _state: StateStore, context: ExecutionContext): Uint8Array {
    const executed: Executed = { operation: copyBytes(operation), context, isRefused: false };
    this.#batch.push(executed);
    this.#hasExecuted = true;
    try {
      return this.#plain.execute(operation, context);
    } catch (error) {
      executed.isRefused = error instanceof Refusal;
      throw error;
    }
  }

  undo(): void {
    if (this.#batch.pop()?.isRefused === true) return;
    this.#restore();
    for (const { operation, context } of this.#batch) this.#plain.execute(copyBytes(operation), context);
  }

  finishBatch(state: StateStore, { valueBytesMax }: StateLimits): void {
    if (!this.#hasExecuted) return;
    this.#hasExecuted = false;
    this.#batch.length = 0;
    const chunks = new Map<string, StoredChunk>();
    for (const { key, bytes } of this.#plain.snapshot()) {
      const name = nameOf(key);
      invariant(key.length <= CHUNK_KEY_BYTES_MAX, "plain-service.chunk-key", { length: key.length });
      invariant(!chunks.has(name), "plain-service.chunk-twice", { key: name });
      const before = this.#chunks.get(name);
      const isSame = before !== undefined && compareBytes(before.bytes, bytes) === 0;
      // Copies: the service may go on with its own, and a Buffer's `slice` is none.
      const now = { key: copyBytes(key), bytes: copyBytes(bytes), pieceBytes: valueBytesMax };
      chunks.set(name, isSame ? before : now);
      if (!isSame) writeChunk(state, key, before, now);
    }
    for (const [name, before] of this.#chunks) if (!chunks.has(name)) writeChunk(state, before.key, before, undefined);
    this.#chunks = chunks;
  }

  #restore(): void {
    const ascending = [...this.#chunks.values()].sort((a, b) => compareBytes(a.key, b.key));
    this.#plain.restore(ascending.map(({ key, bytes }) => ({ key: copyBytes(key), bytes: copyBytes(bytes) })));
  }
}

/** Pieces that are the same are left as they are; a limit of genesis says how long one may be. */
function writeChunk(
  state: StateStore,
  key: Uint8Array,
  before: StoredChunk | undefined,
  after: StoredChunk | undefined,
): void {
  const count = Math.max(piecesOf(before), piecesOf(after));
  for (let piece = 0; piece < count; piece++) {
    const value = pieceAt(after, piece);
    const old = pieceAt(before, piece);
    if (value === undefined) state.delete(pieceKey(key, piece));
    else if (old === undefined || compareBytes(old, value) !== 0) state.put(pieceKey(key, piece), value);
  }
}

function piecesOf(chunk: StoredChunk | undefined): number {
  return chunk === undefined ? 0 : Math.max(1, Math.ceil(chunk.bytes.length / chunk.pieceBytes));
}

function pieceAt(chunk: StoredChunk | undefined, piece: number): Uint8Array | undefined {
  if (chunk === undefined || piece >= piecesOf(chunk)) return undefined;
  return chunk.bytes.subarray(piece * chunk.pieceBytes, (piece + 1) * chunk.pieceBytes);
}

function readChunks(state: StateReader): Map<string, StoredChunk> {
  const pieces = new Map<string, { readonly key: Uint8Array; readonly values: Uint8Array[] }>();
  for (const [stored, value] of state.range(EVERYTHING, undefined)) {
    const key = stored.subarray(LENGTH_BYTES, stored.length - PIECE_BYTES);
    const name = nameOf(key);
    const chunk = pieces.get(name) ?? { key: copyBytes(key), values: [] };
    chunk.values.push(value);
    pieces.set(name, chunk);
  }
  return new Map(
    [...pieces].map(([name, { key, values }]) => {
      const pieceBytes = Math.max(1, values[0]?.length ?? 1);
      return [name, { key, bytes: joined(values), pieceBytes }];
    }),
  );
}

function joined(values: readonly Uint8Array[]): Uint8Array {
  const bytes = allocateBytes(values.reduce((sum, value) => sum + value.length, 0));
  let at = 0;
  for (const value of values) {
    bytes.set(value, at);
    at += value.length;
  }
  return bytes;
}

/** The pieces of a chunk follow each other, and those of no other chunk come in between. */
function pieceKey(key: Uint8Array, piece: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES + key.length + PIECE_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, key.length);
  bytes.set(key, LENGTH_BYTES);
  view.setUint32(LENGTH_BYTES + key.length, piece);
  return bytes;
}

function nameOf(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}
