import assert from "node:assert/strict";
import type { GroupChanges, ReplicaStore } from "../ports.ts";
import type { StorageError } from "../storage-error.ts";
import { bytes, flushed, type StoreSubject, type Suite, text } from "./subject.ts";

/** What a bulk load must do. */
export function describeBulk(suite: Suite, subject: StoreSubject): void {
  describeMoves(suite, subject);
  describeLeftovers(suite, subject);
  if (subject.crash !== undefined) describeCrash(suite, subject, subject.crash);
}

function describeMoves({ describe, it }: Suite, subject: StoreSubject): void {
  describe("a bulk load", () => {
    it("shows nothing until it is settled, then all of it, in both parts and after a restart", async () => {
      const store = await subject.create({});
      store.state.write([{ key: bytes("b"), value: bytes("there") }]);
      store.bulk.add({ state: [put("c", "3"), put("a", "1")], local: [put("page", "p")] });
      store.bulk.add({ state: [put("bb", "2")], local: [] });
      assert.deepEqual([stateOf(store), store.bulk.isEmpty], [["b=there"], false]);

      assert.equal(await settled(store), undefined);
      assert.deepEqual(stateOf(store), ["a=1", "b=there", "bb=2", "c=3"]);
      assert.equal(store.bulk.isEmpty, true);
      const again = await subject.reopen(store);
      assert.deepEqual(stateOf(again), ["a=1", "b=there", "bb=2", "c=3"]);
      assert.equal(text(again.local.get(bytes("page"))), "p");
      assert.equal(again.bulk.isEmpty, true);
      await again.close();
    });

    it("takes of several changes of a key the last one, across flushes too, and removes what it is told to", async () => {
      const store = await subject.create({});
      store.state.write([put("gone", "x"), put("twice", "x")]);
      store.bulk.add({ state: [put("once", "1"), put("twice", "1"), put("once", "2")], local: [] });
      await bulkFlushed(store);
      store.bulk.add({ state: [put("twice", "2"), { key: bytes("gone"), value: undefined }], local: [] });
      await bulkFlushed(store);
      store.bulk.add({ state: [put("twice", "3")], local: [] });

      await settled(store);
      assert.deepEqual(stateOf(store), ["once=2", "twice=3"]);
      await store.close();
    });

    it("is moved in the order of its keys, however it came, and more than once in a store's life", async () => {
      const store = await subject.create({});
      for (const round of ["1", "2"]) {
        for (let group = 0; group < 20; group++) {
          const keys = Array.from({ length: 50 }, (_, i) => (group * 7919 + i * 104_729) % 1000);
          store.bulk.add({
            state: keys.map((key) => put(String(key).padStart(4, "0"), `${round}${"v".repeat(key)}`)),
            local: [],
          });
          if (group % 3 === 0) await bulkFlushed(store);
        }
        assert.equal(await settled(store), undefined);
        const entries = stateOf(store);
        assert.deepEqual(entries, [...new Set(entries)].sort());
        assert.equal(
          entries.every((entry) => entry.includes(`=${round}`)),
          true,
        );
      }
      await store.close();
    });
  });
}

function describeLeftovers({ describe, it }: Suite, subject: StoreSubject): void {
  describe("what is left of a bulk load", () => {
    it("that was flushed waits behind a restart, and is settled before anything is added", async () => {
      const store = await subject.create({});
      store.bulk.add({ state: [put("a", "1")], local: [] });
      store.state.write([put("before", "x")]);
      assert.equal(await bulkFlushed(store), undefined);

      const again = await subject.reopen(store);
      assert.deepEqual([stateOf(again), again.bulk.isEmpty], [["before=x"], false]);
      assert.throws(() => again.bulk.add(NOTHING), { code: "storage.bulk-unsettled" });
      await settled(again);
      assert.deepEqual(stateOf(again), ["a=1", "before=x"]);
      again.bulk.add({ state: [put("b", "2")], local: [] });
      await settled(again);
      assert.deepEqual(stateOf(again), ["a=1", "b=2", "before=x"]);
      await again.close();
    });

    it("settles with nothing in it, and takes nothing while it settles", async () => {
      const store = await subject.create({});
      assert.equal(await settled(store), undefined);
      const settling = settled(store);
      assert.throws(() => store.bulk.add(NOTHING), { code: "storage.bulk-unsettled" });
      await settling;
      await store.close();
      assert.throws(() => store.bulk.add(NOTHING), { code: "storage.written-after-close" });
    });

    it("that was settled never comes back over what is written later", async () => {
      const store = await subject.create({});
      store.bulk.add({ state: [put("a", "bulk")], local: [] });
      await settled(store);
      store.state.write([put("a", "later")]);
      await flushed(store);
      const again = await subject.reopen(store);
      assert.deepEqual([stateOf(again), again.bulk.isEmpty], [["a=later"], true]);
      await again.close();
    });
  });
}

function describeCrash(
  { describe, it }: Suite,
  subject: StoreSubject,
  crash: (store: ReplicaStore) => Promise<ReplicaStore>,
): void {
  describe("a bulk load and a crash:", () => {
    it("what was flushed is left, with what was written before it, and nothing else", async () => {
      const store = await subject.create({});
      store.local.write([put("mark", "m")]);
      store.bulk.add({ state: [put("a", "1")], local: [] });
      await bulkFlushed(store);
      store.bulk.add({ state: [put("b", "2")], local: [] });

      const again = await crash(store);
      assert.equal(text(again.local.get(bytes("mark"))), "m");
      await settled(again);
      assert.deepEqual(stateOf(again), ["a=1"]);
      await again.close();
    });

    it("all of it waits again when the merge was cut short", async () => {
      const store = await subject.create({});
      store.bulk.add({ state: [put("a", "1"), put("b", "2")], local: [] });
      await bulkFlushed(store);
      store.bulk.settle(() => assert.fail("called back after a crash"));

      const again = await crash(store);
      assert.equal(again.bulk.isEmpty, false);
      await settled(again);
      assert.deepEqual(stateOf(again), ["a=1", "b=2"]);
      await again.close();
    });
  });
}

const NOTHING: GroupChanges = { state: [], local: [] };

function put(key: string, value: string): { readonly key: Uint8Array; readonly value: Uint8Array } {
  return { key: bytes(key), value: bytes(value) };
}

function bulkFlushed(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.bulk.flush(resolve));
}

function settled(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.bulk.settle(resolve));
}

function stateOf(store: ReplicaStore): string[] {
  return [...store.state.range(new Uint8Array(0), undefined)].map(([key, value]) => `${text(key)}=${text(value)}`);
}
