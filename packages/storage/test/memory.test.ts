import { sequenceNumber } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";

function append(store: ReplicaStore, seq: number): void {
  store.log.append(sequenceNumber(seq), Buffer.from(String(seq)));
}

function logged(store: ReplicaStore): number[] {
  return [...store.log.entries()].map(({ seq }) => seq);
}

function textOf(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString();
}

describe("A store in memory", () => {
  it("completes a flush when its owner says so and not before", () => {
    const store = createMemoryStore();
    const done: string[] = [];
    expect(store.disk.completeFlush()).to.equal(false);
    append(store, 1);
    store.flushLog(() => done.push("first"));

    expect(done).to.deep.equal([]);
    expect(store.disk.completeFlush()).to.equal(true);
    expect(done).to.deep.equal(["first"]);
    expect(store.disk.completeFlush()).to.equal(false);
  });

  it("lets those who flush during a flush share the next one", () => {
    const store = createMemoryStore();
    const done: string[] = [];
    for (const name of ["first", "second", "third"]) store.flushLog(() => done.push(name));

    expect(store.disk.completionsWaiting).to.equal(1);
    store.disk.completeFlush();
    expect(done).to.deep.equal(["first"]);
    store.disk.completeFlush();
    expect(done).to.deep.equal(["first", "second", "third"]);
  });

  it("makes durable what was written before the flush began, not what came while it ran", () => {
    const store = createMemoryStore();
    append(store, 1);
    store.flushLog(() => {});
    append(store, 2);
    store.disk.completeFlush();

    expect(logged(store)).to.deep.equal([1, 2]);
    expect(logged(store.disk.crash())).to.deep.equal([1]);
  });

  it("may keep a part of the unflushed groups in a crash, always the first ones", () => {
    const store = createMemoryStore();
    for (const seq of [1, 2, 3]) append(store, seq);

    expect(logged(store.disk.crash({ log: 2 }))).to.deep.equal([1, 2]);
  });

  it("loses what was not flushed of each domain by itself", () => {
    const filled = (): MemoryStore => {
      const store = createMemoryStore();
      append(store, 1);
      store.state.write([{ key: Buffer.from("a"), value: Buffer.from("1") }]);
      return store;
    };
    const left = (store: MemoryStore): unknown[] => [logged(store), textOf(store.state.get(Buffer.from("a")))];

    const afterLog = filled();
    afterLog.flushLog(() => {});
    afterLog.disk.completeFlush();
    expect([afterLog.disk.unflushedLogGroups, afterLog.disk.unflushedGroups]).to.deep.equal([0, 1]);
    expect(left(afterLog.disk.crash())).to.deep.equal([[1], undefined]);
    expect(left(filled().disk.crash({ rest: 1 }))).to.deep.equal([[], "1"]);
    const afterBoth = filled();
    let isDone = false;
    afterBoth.flush(() => {
      isDone = true;
    });
    afterBoth.disk.completeFlush();
    expect(isDone, "one domain of two").to.equal(false);
    afterBoth.disk.completeFlush();
    expect([isDone, ...left(afterBoth.disk.crash())]).to.deep.equal([true, [1], "1"]);
  });

  it("fails in both domains when a flush of one has failed", () => {
    const store = createMemoryStore();
    const failures: unknown[] = [];
    store.disk.failNextFlush();
    append(store, 1);
    store.flushLog((failure) => failures.push(failure));
    store.flush((failure) => failures.push(failure));
    while (store.disk.completeFlush());

    expect(failures[0]).to.have.property("code", "storage.flush-failed");
    expect(failures[1]).to.equal(failures[0]);
  });

  it("is dead after a crash: nothing calls back and nothing can be written", () => {
    const scheduled: (() => void)[] = [];
    const store = createMemoryStore({ schedule: (complete) => scheduled.push(complete) });
    let called = false;
    append(store, 1);
    store.flushLog(() => {
      called = true;
    });
    const again = store.disk.crash();
    for (const complete of scheduled) complete();

    expect(called).to.equal(false);
    expect(logged(again)).to.deep.equal([]);
    expect(() => append(store, 2)).to.throw("storage.written-after-close");
  });

  it("fails every flush after the first failure with the same error, and keeps nothing of it", () => {
    const store = createMemoryStore();
    append(store, 1);
    store.flushLog(() => {});
    store.disk.completeFlush();
    const failures: unknown[] = [];
    store.disk.failNextFlush();
    append(store, 2);
    store.flushLog((failure) => failures.push(failure));
    store.flushLog((failure) => failures.push(failure));
    store.disk.completeFlush();
    append(store, 3);
    store.flushLog((failure) => failures.push(failure));
    expect(failures).to.have.length(2);
    store.disk.completeFlush();

    expect(failures).to.have.length(3);
    expect(failures[0]).to.have.property("code", "storage.flush-failed");
    expect(new Set(failures).size).to.equal(1);
    expect(logged(store.disk.crash())).to.deep.equal([1]);
  });

  it("works again after the crash that follows a failure", () => {
    const store = createMemoryStore();
    store.disk.failNextFlush();
    append(store, 1);
    store.flushLog(() => {});
    store.disk.completeFlush();
    const again = store.disk.crash();
    let failure: unknown = "not called";
    append(again, 2);
    again.flushLog((result) => {
      failure = result;
    });
    again.disk.completeFlush();

    expect(failure).to.equal(undefined);
    expect(logged(again.disk.crash())).to.deep.equal([2]);
  });

  it("keeps everything when it is closed in order", async () => {
    const store = createMemoryStore();
    append(store, 1);
    await store.close();

    expect(logged(store.disk.crash())).to.deep.equal([1]);
  });
});
