import { sequenceNumber } from "@quorate/protocol";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";

function append(store: ReplicaStore, seq: number): void {
  store.log.append(sequenceNumber(seq), Buffer.from(String(seq)));
}

function logged(store: ReplicaStore): number[] {
  return [...store.log.entries()].map(({ seq }) => seq);
}

describe("A store in memory", () => {
  it("completes a flush when its owner says so and not before", () => {
    const store = createMemoryStore();
    const done: string[] = [];
    expect(store.disk.completeFlush()).to.equal(false);
    append(store, 1);
    store.flush(() => done.push("first"));

    expect(done).to.deep.equal([]);
    expect(store.disk.completeFlush()).to.equal(true);
    expect(done).to.deep.equal(["first"]);
    expect(store.disk.completeFlush()).to.equal(false);
  });

  it("lets those who flush during a flush share the next one", () => {
    const store = createMemoryStore();
    const done: string[] = [];
    for (const name of ["first", "second", "third"]) store.flush(() => done.push(name));

    expect(store.disk.completionsWaiting).to.equal(1);
    store.disk.completeFlush();
    expect(done).to.deep.equal(["first"]);
    store.disk.completeFlush();
    expect(done).to.deep.equal(["first", "second", "third"]);
  });

  it("makes durable what was written before the flush began, not what came while it ran", () => {
    const store = createMemoryStore();
    append(store, 1);
    store.flush(() => {});
    append(store, 2);
    store.disk.completeFlush();

    expect(logged(store)).to.deep.equal([1, 2]);
    expect(logged(store.disk.crash())).to.deep.equal([1]);
  });

  it("may keep a part of the unflushed groups in a crash, always the first ones", () => {
    const store = createMemoryStore();
    for (const seq of [1, 2, 3]) append(store, seq);

    expect(logged(store.disk.crash(2))).to.deep.equal([1, 2]);
  });

  it("is dead after a crash: nothing calls back and nothing can be written", () => {
    const scheduled: (() => void)[] = [];
    const store = createMemoryStore({ schedule: (complete) => scheduled.push(complete) });
    let called = false;
    append(store, 1);
    store.flush(() => {
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
    store.flush(() => {});
    store.disk.completeFlush();
    const failures: unknown[] = [];
    store.disk.failNextFlush();
    append(store, 2);
    store.flush((failure) => failures.push(failure));
    store.flush((failure) => failures.push(failure));
    store.disk.completeFlush();
    append(store, 3);
    store.flush((failure) => failures.push(failure));
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
    store.flush(() => {});
    store.disk.completeFlush();
    const again = store.disk.crash();
    let failure: unknown = "not called";
    append(again, 2);
    again.flush((result) => {
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
