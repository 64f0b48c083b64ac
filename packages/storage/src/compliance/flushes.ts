import assert from "node:assert/strict";
import { sequenceNumber } from "@quorate/protocol";
import type { ReplicaStore } from "../ports.ts";
import type { StorageError } from "../storage-error.ts";
import { bytes, flushed, type StoreSubject, type Suite, text } from "./subject.ts";

/** What flushes, closing and crashes must do. */
export function describeFlushes({ describe, it }: Suite, subject: StoreSubject): void {
  describe("flushes", () => {
    it("call back once, after the call, in the order of the calls, also with nothing to write", async () => {
      const store = await subject.create({});
      const called: string[] = [];
      store.flush(() => called.push("nothing written"));
      store.log.append(sequenceNumber(1), bytes("r"));
      store.flush(() => called.push("first"));
      store.flush(() => called.push("second"));
      assert.deepEqual(called, []);

      assert.equal(await flushed(store), undefined);
      assert.deepEqual(called, ["nothing written", "first", "second"]);
      await store.close();
    });

    it("can be called from a callback and cover what was written there", async () => {
      const store = await subject.create({});
      store.state.write([{ key: bytes("a"), value: bytes("1") }]);

      const failure = await new Promise((resolve) =>
        store.flush(() => {
          store.state.write([{ key: bytes("a"), value: bytes("2") }]);
          store.flush(resolve);
        }),
      );
      assert.equal(failure, undefined);
      const again = await subject.reopen(store);
      assert.equal(text(again.state.get(bytes("a"))), "2");
      await again.close();
    });

    it("of the log call back in the order of the calls, also with nothing to write, and later than the call", async () => {
      const store = await subject.create({});
      const called: string[] = [];
      store.flushLog(() => called.push("nothing written"));
      store.log.append(sequenceNumber(1), bytes("r"));
      store.flushLog(() => called.push("first"));
      assert.deepEqual(called, []);

      assert.equal(await logFlushed(store), undefined);
      assert.deepEqual(called, ["nothing written", "first"]);
      const again = await subject.reopen(store);
      assert.deepEqual(logged(again), ["1:r"]);
      await again.close();
    });

    it("are done for all who wait when the store has closed, and refused afterwards", async () => {
      const store = await subject.create({});
      store.log.append(sequenceNumber(1), bytes("r"));
      const before = flushed(store);
      const closed = store.close();

      assert.equal(await before, undefined);
      await closed;
      assert.equal((await flushed(store))?.code, "storage.closed");
      assert.equal((await logFlushed(store))?.code, "storage.closed");
      assert.throws(() => store.log.append(sequenceNumber(2), bytes("r")), { code: "storage.written-after-close" });
    });
  });
  if (subject.crash !== undefined) describeCrashes({ describe, it }, subject, subject.crash);
}

function describeCrashes(
  { describe, it }: Suite,
  subject: StoreSubject,
  crash: (store: ReplicaStore) => Promise<ReplicaStore>,
): void {
  describe("flushes and a crash:", () => {
    it("what was flushed is left, and nothing else", async () => {
      const store = await subject.create({});
      store.log.append(sequenceNumber(1), bytes("promised"));
      store.writeAtomically({ state: [{ key: bytes("s"), value: bytes("1") }], local: [] });
      await flushed(store);
      store.log.append(sequenceNumber(2), bytes("not yet"));
      store.log.cut(sequenceNumber(1));
      store.writeAtomically({ state: [{ key: bytes("s"), value: bytes("2") }], local: [] });

      const again = await crash(store);
      assert.deepEqual(logged(again), ["1:promised"]);
      assert.equal(text(again.state.get(bytes("s"))), "1");
      await again.close();
    });

    it("a flush of the log covers its appends and cuts, and not the rest", async () => {
      const store = await subject.create({});
      store.log.append(sequenceNumber(1), bytes("old"));
      store.log.append(sequenceNumber(2), bytes("promised"));
      store.writeAtomically({ state: [{ key: bytes("s"), value: bytes("1") }], local: [] });
      store.log.cut(sequenceNumber(1));
      await logFlushed(store);

      const again = await crash(store);
      assert.deepEqual(logged(again), ["2:promised"]);
      assert.equal(again.state.get(bytes("s")), undefined);
      await again.close();
    });
  });
}

function logFlushed(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.flushLog(resolve));
}

function logged(store: ReplicaStore): string[] {
  return [...store.log.entries()].map(({ seq, record }) => `${seq}:${text(record)}`);
}
