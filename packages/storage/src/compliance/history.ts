import assert from "node:assert/strict";
import { sequenceNumber } from "@quorate/protocol";
import { type ReplicaStore, TRIM_BYTES_MAX, TRIM_ENTRIES_MAX } from "../ports.ts";
import { bytes, flushed, type StoreSubject, type Suite, text } from "./subject.ts";

/** What a history must do. */
export function describeHistory({ describe, it }: Suite, subject: StoreSubject): void {
  describe("the history", () => {
    it("is empty at first", async () => {
      const store = await subject.create({});

      assert.deepEqual(bounds(store), [undefined, undefined, 0]);
      assert.equal(store.history.get(sequenceNumber(1)), undefined);
      await store.close();
    });

    it("gives an entry at once, after a flush and after a restart", async () => {
      const store = await subject.create({});
      put(store, 5, "five");
      put(store, 6, "sixth");

      assert.equal(get(store, 5), "five");
      await flushed(store);
      assert.equal(get(store, 5), "five");
      const again = await subject.reopen(store);
      assert.equal(get(again, 6), "sixth");
      assert.equal(get(again, 7), undefined);
      assert.deepEqual(bounds(again), [5, 6, 9]);
      await again.close();
    });

    it("replaces the entry of a number and counts only the new one's bytes", async () => {
      const store = await subject.create({});
      put(store, 1, "long entry");
      put(store, 2, "x");
      put(store, 1, "short");

      assert.equal(get(store, 1), "short");
      assert.deepEqual(bounds(store), [1, 2, 6]);
      await store.close();
    });
  });
  describe("what is too much of the history", () => describeTrimming(it, subject));
}

function describeTrimming(it: Suite["it"], subject: StoreSubject): void {
  it("trims the oldest entries until the rest fits, and none at or above the given number", async () => {
    const store = await subject.create({ historyBytesMax: 25 });
    for (let seq = 1; seq <= 6; seq++) put(store, seq, "0123456789");

    store.history.trim(sequenceNumber(3));
    assert.deepEqual(bounds(store), [3, 6, 40]);
    store.history.trim(sequenceNumber(7));
    assert.deepEqual(bounds(store), [5, 6, 20]);
    assert.equal(get(store, 4), undefined);
    const again = await subject.reopen(store);
    assert.deepEqual(bounds(again), [5, 6, 20]);
    assert.equal(get(again, 5), "0123456789");
    await again.close();
  });

  it("trims so many entries at a call and no more: the rest is for the next calls", async () => {
    const store = await subject.create({ historyBytesMax: 10 });
    const last = 2 * TRIM_ENTRIES_MAX + 3;
    for (let seq = 1; seq <= last; seq++) put(store, seq, "x");

    const trim = (): unknown => {
      store.history.trim(sequenceNumber(last + 1));
      return bounds(store);
    };
    assert.deepEqual(trim(), [TRIM_ENTRIES_MAX + 1, last, TRIM_ENTRIES_MAX + 3]);
    assert.deepEqual(trim(), [last - 9, last, 10]);
    await store.close();
  });

  it("trims so many bytes at a call and no more, but for one long entry", async () => {
    const store = await subject.create({ historyBytesMax: 0 });
    const long = "x".repeat(TRIM_BYTES_MAX / 2);
    for (const [i, entry] of [long, long, "x", long + long + long, "x"].entries()) put(store, i + 1, entry);
    // From here on nothing comes.
    store.history.trim(sequenceNumber(0));

    const firsts = [3, 4, 5, undefined].map((first) => {
      store.history.trim(sequenceNumber(9));
      return [first, store.history.first];
    });
    for (const [expected, first] of firsts) assert.equal(first, expected);
    await store.close();
  });

  it("gets down to its bound while longer entries come than it may trim at a call", async () => {
    const store = await subject.create({ historyBytesMax: TRIM_BYTES_MAX });
    const long = "x".repeat(TRIM_BYTES_MAX * 0.6);
    for (let seq = 1; seq <= 20; seq++) put(store, seq, long);
    store.history.trim(sequenceNumber(0));
    for (let seq = 21; seq <= 41; seq++) {
      put(store, seq, long);
      store.history.trim(sequenceNumber(seq + 1));
    }
    assert.deepEqual(bounds(store), [41, 41, long.length]);
    await store.close();
  });

  it("trims nothing while all of it fits", async () => {
    const store = await subject.create({ historyBytesMax: 20 });
    put(store, 1, "0123456789");
    put(store, 2, "0123456789");
    store.history.trim(sequenceNumber(3));

    assert.deepEqual(bounds(store), [1, 2, 20]);
    await store.close();
  });

  it("can be trimmed to nothing and filled again", async () => {
    const store = await subject.create({ historyBytesMax: 0 });
    put(store, 1, "entry");
    store.history.trim(sequenceNumber(2));
    assert.deepEqual(bounds(store), [undefined, undefined, 0]);
    put(store, 9, "later");

    const again = await subject.reopen(store);
    assert.deepEqual(bounds(again), [9, 9, 5]);
    await again.close();
  });
}

function put(store: ReplicaStore, seq: number, entry: string): void {
  store.history.put(sequenceNumber(seq), bytes(entry));
}

function get(store: ReplicaStore, seq: number): string | undefined {
  return text(store.history.get(sequenceNumber(seq)));
}

function bounds({ history }: ReplicaStore): unknown[] {
  return [history.first, history.last, history.bytes];
}
