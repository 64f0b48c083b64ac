import { type Change, compareBytes, sequenceNumber } from "@quorate/protocol";
import { TRIM_ENTRIES_MAX } from "@quorate/storage";
import { expect } from "chai";
import fc from "fast-check";
import type { Keyspace } from "../dist/keyspace.js";
import { KeyspaceHistory } from "../dist/keyspace-history.js";
import { seal, unseal } from "../dist/seal.js";

/** An ordered map that notes what is read of it and how much is changed at once. */
class CountingKeyspace implements Keyspace {
  valueBytesRead = 0;
  changesMax = 0;
  readonly #values = new Map<string, Uint8Array>();
  #sorted: Buffer[] | undefined;

  get size(): number {
    return this.#values.size;
  }
  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#values.get(Buffer.from(key).toString("hex"));
    this.valueBytesRead += value?.length ?? 0;
    return value;
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    for (const key of this.keys(from, to)) yield [key, this.get(key) ?? expect.fail("gone while it was read")];
  }
  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    this.#sorted ??= [...this.#values.keys()].sort().map((name) => Buffer.from(name, "hex"));
    for (const key of this.#sorted) {
      if (to !== undefined && compareBytes(key, to) >= 0) return;
      if (compareBytes(key, from) >= 0) yield key;
    }
  }
  write(changes: readonly Change[]): void {
    this.changesMax = Math.max(this.changesMax, changes.length);
    this.#sorted = undefined;
    for (const { key, value } of changes) {
      const name = Buffer.from(key).toString("hex");
      if (value === undefined) this.#values.delete(name);
      else this.#values.set(name, new Uint8Array(value));
    }
  }
}

const TALLY = 1;
const seqOf = sequenceNumber;
const bounds = ({ first, last, bytes }: KeyspaceHistory): unknown[] => [first, last, bytes];

type Call =
  | { readonly type: "put"; readonly seq: number }
  | { readonly type: "trim"; readonly below: number }
  | { readonly type: "clear" | "reopen" };
const NUMBERS = 30;
const number = fc.integer({ min: 1, max: NUMBERS });
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ type: fc.constant("put" as const), seq: number }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("trim" as const), below: number }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("clear" as const, "reopen" as const) }) },
);
const BYTES_MAX = 200;

/** A history beside the plain map that it stands for. */
class Comparison {
  readonly #keyspace = new CountingKeyspace();
  #history = new KeyspaceHistory(this.#keyspace, BYTES_MAX);
  readonly #model = new Map<number, Uint8Array>();
  #puts = 0;

  take(taken: Call): void {
    switch (taken.type) {
      case "put":
        this.#put(taken.seq);
        break;
      case "trim":
        this.#trim(taken.below);
        break;
      case "clear":
        this.#history.clear();
        this.#model.clear();
        break;
      default:
        this.#history = new KeyspaceHistory(this.#keyspace, BYTES_MAX);
    }
    expect(bounds(this.#history)).to.deep.equal([this.#seqs[0], this.#seqs.at(-1), this.#bytes]);
    for (let seq = 1; seq <= NUMBERS; seq++)
      expect(this.#history.get(seqOf(seq)), `${seq}`).to.deep.equal(this.#model.get(seq));
  }

  #put(seq: number): void {
    const entry = new Uint8Array(20 + this.#puts).fill(this.#puts++);
    this.#history.put(seqOf(seq), entry);
    this.#model.set(seq, entry);
  }

  #trim(below: number): void {
    this.#history.trim(seqOf(below));
    for (const seq of this.#seqs) if (seq < below && this.#bytes > BYTES_MAX) this.#model.delete(seq);
  }

  get #seqs(): number[] {
    return [...this.#model.keys()].sort((a, b) => a - b);
  }

  get #bytes(): number {
    let bytes = 0;
    for (const entry of this.#model.values()) bytes += entry.length;
    return bytes;
  }
}

describe("A history that is cleared", () => {
  const ENTRY = new Uint8Array(100);
  const COUNT = 3 * TRIM_ENTRIES_MAX + 7;

  function cleared(): { readonly keyspace: CountingKeyspace; readonly history: KeyspaceHistory } {
    const keyspace = new CountingKeyspace();
    const history = new KeyspaceHistory(keyspace, 1024 ** 3);
    for (let seq = 1; seq <= COUNT; seq++) history.put(seqOf(seq), ENTRY);
    [keyspace.valueBytesRead, keyspace.changesMax] = [0, 0];
    history.clear();
    return { keyspace, history };
  }

  it("has nothing at once, and what it had goes in parts that read none of it", () => {
    const { keyspace, history } = cleared();

    expect(bounds(history)).to.deep.equal([undefined, undefined, 0]);
    expect(history.get(seqOf(5))).to.equal(undefined);
    const sizes = [keyspace.size];
    for (let seq = COUNT + 100; keyspace.size > TALLY + sizes.length - 1; seq++) {
      history.put(seqOf(seq), ENTRY);
      history.trim(seqOf(0));
      sizes.push(keyspace.size);
    }

    expect(keyspace.changesMax).to.be.within(TRIM_ENTRIES_MAX, TRIM_ENTRIES_MAX + 1);
    expect(keyspace.valueBytesRead).to.be.lessThan(1_000);
    expect(sizes.length, "calls").to.be.within(4, 6);
    expect(bounds(history)).to.deep.equal([COUNT + 100, COUNT + 99 + sizes.length - 1, 100 * (sizes.length - 1)]);
  });

  it("has nothing after a restart either, and goes on with what is left", () => {
    const { keyspace } = cleared();
    const again = new KeyspaceHistory(keyspace, 1024 ** 3);
    expect(bounds(again)).to.deep.equal([undefined, undefined, 0]);
    expect(again.get(seqOf(COUNT))).to.equal(undefined);
    again.put(seqOf(3), ENTRY);

    const third = new KeyspaceHistory(keyspace, 1024 ** 3);
    expect(bounds(third)).to.deep.equal([3, 3, 100]);
    expect([2, 4].map((seq) => third.get(seqOf(seq)))).to.deep.equal([undefined, undefined]);
    for (let parts = 0; parts < 5; parts++) third.trim(seqOf(0));
    expect(keyspace.size).to.equal(TALLY + 1);
    expect(third.get(seqOf(3))).to.deep.equal(ENTRY);
  });

  it("is not taken for one where a folder of an older program is opened, whose tally has no first number", () => {
    const keyspace = new CountingKeyspace();
    const history = new KeyspaceHistory(keyspace, 1024 ** 3);
    for (const seq of [4, 5, 6]) history.put(seqOf(seq), ENTRY);
    const key = Buffer.from("g");
    const tally = unseal(key, keyspace.get(key)!)!;
    keyspace.write([{ key, value: seal(key, tally.subarray(0, 16)) }]);

    const again = new KeyspaceHistory(keyspace, 1024 ** 3);
    expect(bounds(again)).to.deep.equal([4, 6, 300]);
    again.trim(seqOf(0));
    expect(keyspace.size).to.equal(TALLY + 3);
  });

  it("never gives what it had before, wherever it goes on", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 40 }), (calls) => {
        const comparison = new Comparison();
        for (const one of calls) comparison.take(one);
      }),
      { numRuns: 500 },
    );
  });
});
