import assert from "node:assert/strict";
import { sequenceNumber } from "@quorate/protocol";
import type { ReplicaStore } from "../ports.ts";
import { bytes, flushed, type StoreSubject, type Suite, text } from "./subject.ts";

/** What a durable log must do. */
export function describeLog({ describe, it }: Suite, subject: StoreSubject): void {
  describe("the log", () => {
    it("is empty at first", async () => {
      const store = await subject.create({});

      assert.deepEqual(entries(store), []);
      await store.close();
    });

    it("gives its records by sequence number, then in the order of their appends, durable or not", async () => {
      const store = await subject.create({});
      append(store, 300, "c");
      append(store, 2, "b");
      await flushed(store);
      append(store, 2, "a");
      append(store, 1, "");

      assert.deepEqual(entries(store), ["1:", "2:b", "2:a", "300:c"]);
      await store.close();
    });

    it("keeps records and their order over a restart", async () => {
      const store = await subject.create({});
      append(store, 7, "first");
      append(store, 6, "other");
      const again = await subject.reopen(store);
      append(again, 7, "second");

      assert.deepEqual(entries(again), ["6:other", "7:first", "7:second"]);
      const third = await subject.reopen(again);
      assert.deepEqual(entries(third), ["6:other", "7:first", "7:second"]);
      await third.close();
    });

    it("drops what is cut, for good, and nothing above it", async () => {
      const store = await subject.create({});
      for (const seq of [1, 2, 2, 3, 4]) append(store, seq, "r");
      await flushed(store);
      append(store, 2, "late");
      store.log.cut(sequenceNumber(2));

      assert.deepEqual(entries(store), ["3:r", "4:r"]);
      const again = await subject.reopen(store);
      assert.deepEqual(entries(again), ["3:r", "4:r"]);
      again.log.cut(sequenceNumber(9));
      const third = await subject.reopen(again);
      assert.deepEqual(entries(third), []);
      await third.close();
    });

    it("holds a record of a megabyte", async () => {
      const store = await subject.create({});
      const record = new Uint8Array(1_000_000).map((_, i) => i % 251);
      store.log.append(sequenceNumber(1), record);
      const again = await subject.reopen(store);

      const [entry] = again.log.entries();
      assert.ok(entry !== undefined && Buffer.compare(entry.record, record) === 0);
      await again.close();
    });
  });
}

function append(store: ReplicaStore, seq: number, record: string): void {
  store.log.append(sequenceNumber(seq), bytes(record));
}

function entries(store: ReplicaStore): string[] {
  return [...store.log.entries()].map(({ seq, record }) => `${seq}:${text(record)}`);
}
