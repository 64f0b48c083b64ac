import { DEFAULT_LIMITS } from "@quorate/protocol";
import { CHUNK_KEY_BYTES_MAX, type Chunk, type PlainService, plainService, Refusal } from "@quorate/state-machine";
import { unsealed } from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { bytesOf, type Client, Fixture, hasher, resultsOf, textOf } from "./cluster.ts";

/** A piece of an entry is as long as a value may be. */
const PIECE_BYTES = 1024;
const LIMITS = { requestBytesMax: PIECE_BYTES, resultBytesMax: 1024 };

/**
 * Shelves of words: `SHELF+WORD` puts one there, `SHELF-` clears it, `SHELF?` tells them. A `!` behind a word throws after the
 * change, and `refuse` before any. `SHELF*N` puts a word of so many bytes there.
 */
class Shelves implements PlainService {
  readonly shelves = new Map<string, string[]>();
  restored = 0;
  executed = 0;

  execute(operation: Uint8Array): Uint8Array {
    this.executed++;
    const [, shelf = "", action = "", rest = ""] = /^(\w+)([+\-?*])(.*)$/.exec(textOf(operation)) ?? [];
    if (rest === "refuse") throw new Refusal("no");
    if (rest === "refuse late") {
      this.shelves.set(shelf, ["late"]);
      throw new Refusal("a check that comes too late");
    }
    const words = this.shelves.get(shelf) ?? [];
    if (action === "?") return bytesOf(words.join());
    if (action === "-") this.shelves.delete(shelf);
    else this.shelves.set(shelf, [...words, action === "*" ? "x".repeat(Number(rest)) : rest]);
    if (rest.endsWith("!")) throw new Error("after the change");
    return bytesOf(rest.endsWith("#") ? "y".repeat(LIMITS.resultBytesMax + 1) : "");
  }

  *snapshot(): Generator<Chunk> {
    for (const [shelf, words] of this.shelves) yield { key: bytesOf(shelf), bytes: bytesOf(words.join()) };
  }

  restore(chunks: Iterable<Chunk>): void {
    this.restored++;
    this.shelves.clear();
    for (const { key, bytes } of chunks) this.shelves.set(textOf(key), textOf(bytes).split(","));
  }
}

class Scene {
  plain = new Shelves();
  readonly fixture: Fixture;
  readonly #client: Client;
  readonly #session: ReturnType<Fixture["open"]>;
  #number = 1;

  constructor(limits = LIMITS) {
    this.fixture = new Fixture({
      service: { execute: (...all) => this.#service.execute(...all), ...this.#hooks() },
      limits,
    });
    this.#client = this.fixture.client(1);
    this.#session = this.fixture.open(this.#client);
  }

  #service = plainService(this.plain);

  #hooks(): Pick<ReturnType<typeof plainService>, "open" | "undo" | "finishBatch"> {
    return {
      open: (state) => this.#service.open?.(state),
      undo: () => this.#service.undo?.(),
      finishBatch: (state, limits) => this.#service.finishBatch?.(state, limits),
    };
  }

  run(...operations: readonly string[]): readonly string[] {
    const request = this.#client.operate(this.#session, this.#number++, ...operations);
    return resultsOf(this.fixture.run(request));
  }

  /** A new process: nothing is left but the store. */
  restart(): void {
    this.plain = new Shelves();
    this.#service = plainService(this.plain);
    this.fixture.restart();
  }

  /** The service reads its objects again. */
  open(): void {
    const { state } = this.fixture.store;
    const strip = (entry: readonly [Uint8Array, Uint8Array]): readonly [Uint8Array, Uint8Array] => [
      entry[0].subarray(1),
      unsealed(hasher, entry[0], entry[1])!,
    ];
    const [start, end] = [Uint8Array.of(1), Uint8Array.of(2)];
    this.#service.open?.({
      get: () => undefined,
      *range() {
        for (const entry of state.range(start, end)) yield strip(entry);
      },
    });
  }

  /** The entries of the service's part of the state. */
  get entries(): Map<string, Uint8Array> {
    return new Map([...this.fixture.store.state.entries].filter(([name]) => name.startsWith("01")));
  }
}

describe("a service with plain objects", () => {
  it("is in the state after each batch, and goes on from there after a restart", () => {
    const scene = new Scene();
    scene.run("a+one", "b+two");
    scene.run("a+three");
    scene.restart();

    expect([...scene.plain.shelves]).to.deep.equal([
      ["a", ["one", "three"]],
      ["b", ["two"]],
    ]);
    expect(scene.run("a?", "b?")).to.deep.equal(["ok one,three", "ok two"]);
    expect(scene.fixture.executor.verifyStateRoot()).to.equal(true);
  });

  it("has only those chunks written that changed", () => {
    const scene = new Scene();
    scene.run("a+one", "b+two", "c+three");
    const before = scene.entries;
    scene.run("b+four", "a?");
    const changed = [...scene.entries].filter(([name, value]) => before.get(name) !== value);

    expect(changed).to.have.length(1);
    scene.run("b-");
    expect(scene.entries.size).to.equal(before.size - 1);
    const roots = [scene.fixture.executor.stateRoot()];
    scene.restart();
    roots.push(scene.fixture.executor.stateRoot());
    expect(roots[0]).to.equal(roots[1]);
  });

  it("has a chunk of any length in pieces, also when it becomes shorter or empty", () => {
    const scene = new Scene();
    for (const length of [5 * PIECE_BYTES + 3, PIECE_BYTES, 2 * PIECE_BYTES, 1, 0]) {
      scene.run("a-", `a*${length}`, "b+two");
      expect(scene.entries.size).to.equal(Math.max(1, Math.ceil(length / PIECE_BYTES)) + 1);
      scene.restart();
      expect(scene.plain.shelves.get("a")?.join().length).to.equal(length);
    }
  });

  it("is as before an operation that threw after a change, or whose result is too long", () => {
    const scene = new Scene();
    expect(scene.run("a+one", "a+two!", "a?", "b+three#", "b?", "a+four")).to.deep.equal([
      "ok",
      "failed after the change",
      "ok one",
      "failed the result has 1025 bytes, at most 1024 are allowed; ask for less at once",
      "ok",
      "ok",
    ]);
    expect(scene.run("a?", "b?")).to.deep.equal(["ok one,four", "ok"]);
    scene.restart();
    expect(scene.run("a?", "b?")).to.deep.equal(["ok one,four", "ok"]);
  });

  it("is not restored after an operation that was refused before any change", () => {
    const scene = new Scene();
    scene.run("a+one");
    const { restored } = scene.plain;
    const { executed } = scene.plain;

    expect(scene.run("a+refuse", "a+refuse", "a?")).to.deep.equal(["failed no", "failed no", "ok one"]);
    expect([scene.plain.restored, scene.plain.executed]).to.deep.equal([restored, executed + 3]);
  });

  it("is in the state as it is even if a refusal was false", () => {
    const scene = new Scene();
    expect(scene.run("a+refuse late")).to.deep.equal(["failed a check that comes too late"]);

    scene.restart();

    expect(scene.run("a?")).to.deep.equal(["ok late"]);
  });

  it("has a chunk in pieces of another length rewritten where a restored cluster allows longer ones", () => {
    const before = new Scene();
    before.run(`a*${3 * PIECE_BYTES}`, "b+two");
    const entries = [...before.entries];
    for (const change of ["a+more", "a-"]) {
      const scene = new Scene({ ...LIMITS, requestBytesMax: 2 * PIECE_BYTES });
      // As a backup brings them.
      for (const [name, value] of entries) scene.fixture.store.state.entries.set(name, value);
      scene.open();
      scene.run(change);
      const now = [...scene.plain.shelves];
      scene.open();
      expect([...scene.plain.shelves]).to.deep.equal(now);
      expect(now.map(([shelf]) => shelf)).to.deep.equal(change === "a-" ? ["b"] : ["a", "b"]);
    }
  });

  it("does not depend on what becomes of the bytes that a service gives and gets, Buffers or not", () => {
    let ledger: Buffer = Buffer.from([0]);
    const plain: PlainService = {
      execute: (operation) => {
        ledger[0]!++;
        if (operation[0] === 33) throw new Error("after the change");
        return Uint8Array.from(ledger);
      },
      snapshot: () => [{ key: Buffer.from("ledger"), bytes: ledger }],
      restore: (chunks) => {
        for (const { bytes } of chunks) ledger = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
      },
    };
    const fixture = new Fixture({ service: plainService(plain) });
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    fixture.run(alice.operate(session, 1, "+"));
    fixture.run(alice.operate(session, 2, "+", "!", "+"));
    fixture.run(alice.operate(session, 3, "+"));

    fixture.restart();

    expect([...ledger]).to.deep.equal([4]);
  });

  it("begins with no chunks", () => {
    const scene = new Scene();
    expect(scene.plain.restored).to.equal(1);
    expect(scene.entries.size).to.equal(0);
  });

  it("ends a replica when two of its chunks have one key, or a key is too long", () => {
    for (const chunks of [
      [
        { key: bytesOf("k"), bytes: bytesOf("1") },
        { key: bytesOf("k"), bytes: bytesOf("2") },
      ],
      [{ key: new Uint8Array(CHUNK_KEY_BYTES_MAX + 1), bytes: bytesOf("1") }],
    ]) {
      const plain: PlainService = {
        execute: (operation) => operation,
        snapshot: () => chunks,
        restore: () => undefined,
      };
      const fixture = new Fixture({ service: plainService(plain) });
      const alice = fixture.client(1);
      const session = fixture.open(alice);
      expect(() => fixture.run(alice.operate(session, 1, "x"))).to.throw(/plain-service\.chunk/);
    }
  });

  it("is at every replica what it is at one that restarts after each batch", () => {
    const operation = fc.tuple(
      fc.constantFrom("a", "b", "c"),
      fc.constantFrom("+w", "+w!", "-", "+refuse", "*1500", "+w#", "?"),
    );
    fc.assert(
      fc.property(fc.array(fc.array(operation, { minLength: 1, maxLength: 6 }), { maxLength: 8 }), (batches) => {
        const [steady, restarting] = [new Scene(), new Scene()];
        for (const batch of batches) {
          const operations = batch.map(([shelf, action]) => `${shelf}${action}`);
          expect(restarting.run(...operations)).to.deep.equal(steady.run(...operations));
          restarting.restart();
          expect(restarting.fixture.executor.stateRoot()).to.equal(steady.fixture.executor.stateRoot());
        }
      }),
      { numRuns: 50 },
    );
  });

  it("keeps to the limits of genesis: a piece is as long as a value may be", () => {
    expect(DEFAULT_LIMITS.requestBytesMax).to.be.greaterThan(PIECE_BYTES);
    const scene = new Scene();
    scene.run(`a*${3 * PIECE_BYTES}`);
    expect(Math.max(...[...scene.entries.values()].map((record) => record.length))).to.be.lessThan(PIECE_BYTES + 200);
  });
});
