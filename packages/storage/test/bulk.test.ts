import { copyFileSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { initializeStore, type ReplicaStore, type StorageError } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { IDENTITY } from "./identity.ts";
import { openIn, temporaryFolder } from "./temporary-folder.ts";

const RUNS = 4;
/** Of a run: a few short ones and one that is longer than a block. */
const ENTRIES = 5;
const LONG = 70_000;

function flushBulk(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.bulk.flush(resolve));
}

function settle(store: ReplicaStore): Promise<StorageError | undefined> {
  return new Promise((resolve) => store.bulk.settle(resolve));
}

/** The entries of one run: their keys are between those of the other runs. */
function addRun(store: ReplicaStore, run: number): void {
  const state = Array.from({ length: ENTRIES }, (_, i) => ({
    key: Buffer.from(`${i}/${run}`),
    value: Buffer.alloc(i === 2 ? LONG : 10 * run, run),
  }));
  store.bulk.add({ state, local: [{ key: Buffer.from(`page ${run}`), value: Buffer.from(String(run)) }] });
}

/** Which runs are there: each of them whole, or not at all. */
function runsIn(store: ReplicaStore): number[] {
  const runs: number[] = [];
  for (let run = 1; run <= RUNS; run++) {
    const found = Array.from({ length: ENTRIES }, (_, i) => store.state.get(Buffer.from(`${i}/${run}`)));
    const count = found.filter((value) => value?.every((byte) => byte === run)).length;
    const hasPage = store.local.get(Buffer.from(`page ${run}`)) !== undefined;
    expect([count, hasPage], `run ${run}`).to.be.deep.oneOf([
      [0, false],
      [ENTRIES, true],
    ]);
    if (hasPage) runs.push(run);
  }
  return runs;
}

const firstRuns = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1);

describe("Entries on their way in a file", () => {
  const folder = temporaryFolder();

  /** A store that was closed with all its runs in the file. */
  async function withRuns(): Promise<{ readonly path: string; readonly file: string; readonly ends: number[] }> {
    const path = join(folder(), "store");
    await initializeStore(path, IDENTITY);
    const store = openIn(path);
    const file = join(path, "bulk.runs");
    const ends: number[] = [];
    for (let run = 1; run <= RUNS; run++) {
      addRun(store, run);
      await flushBulk(store);
      ends.push(statSync(file).size);
    }
    await store.close();
    return { path, file, ends };
  }

  async function found(path: string): Promise<number[]> {
    const store = openIn(path);
    expect(await settle(store)).to.equal(undefined);
    const runs = runsIn(store);
    await store.close();
    return runs;
  }

  it("are those of the first runs that are whole, wherever the file ends", async () => {
    for (const offset of [0, 1, 15, 16, 17, 40, 70_100]) {
      const { path, file, ends } = await withRuns();
      const cut = ends[1]! + offset;
      writeFileSync(file, readFileSync(file).subarray(0, cut));
      expect(await found(path), `cut at ${cut} of ${ends}`).to.deep.equal(firstRuns(2));
    }
  });

  it("are those of the runs before a flipped bit, wherever it is", async () => {
    for (const offset of [0, 3, 5, 11, 13, 16, 20, 24, 30, 60_000, -1]) {
      const { path, file, ends } = await withRuns();
      const content = readFileSync(file);
      const at = offset < 0 ? ends[2]! + offset : ends[1]! + offset;
      content[at]! ^= 0x10;
      writeFileSync(file, content);
      expect(await found(path), `flipped at ${at} of ${ends}`).to.deep.equal(firstRuns(2));
    }
    const { path, file } = await withRuns();
    writeFileSync(file, Buffer.concat([Buffer.of(1), readFileSync(file).subarray(1)]));
    expect(await found(path)).to.deep.equal([]);
  });

  it("are not read again when the file comes back after it was settled", async () => {
    const { path, file } = await withRuns();
    copyFileSync(file, `${path}.copy`);
    const store = openIn(path);
    await settle(store);
    store.state.write([{ key: Buffer.from("0/1"), value: Buffer.from("later") }]);
    await store.close();
    copyFileSync(`${path}.copy`, file);

    const again = openIn(path);
    expect(again.bulk.isEmpty).to.equal(true);
    addRun(again, 2);
    await settle(again);
    expect(Buffer.from(again.state.get(Buffer.from("0/1"))!).toString()).to.equal("later");
    await again.close();
  });

  it("are not read from the file of another store", async () => {
    const [one, other] = [await withRuns(), await withRuns()];
    copyFileSync(one.file, other.file);
    expect(await found(other.path)).to.deep.equal([]);
  });

  it("are damaged where what was written is not read: nothing goes on, and a start takes what is before", async () => {
    const path = join(folder(), "store");
    await initializeStore(path, IDENTITY);
    const store = openIn(path);
    const file = join(path, "bulk.runs");
    addRun(store, 1);
    await flushBulk(store);
    const end = statSync(file).size;
    addRun(store, 2);
    await flushBulk(store);
    const content = readFileSync(file);
    content[end + 100]! ^= 1;
    writeFileSync(file, content);

    const failure = await settle(store);
    expect(failure?.code).to.equal("storage.damaged");
    expect(failure?.message).to.include("the run of entries at byte");
    expect(await new Promise((resolve) => store.flush(resolve))).to.equal(failure);
    await store.close();
    expect(await found(path)).to.deep.equal([1]);
  });
});

describe("Entries on their way in memory", () => {
  it("are those of the first groups, whatever a crash leaves of what is being appended", () => {
    const bytes = appending().disk.unflushedSpoolBytes;
    expect(bytes).to.be.greaterThan(LONG);
    for (const spoolBytes of [0, 1, 30, 60, LONG, bytes - 1, bytes]) {
      const again = appending().disk.crash({ spoolBytes });
      complete(again, (done) => again.bulk.settle(done));
      expect(runsIn(again), `${spoolBytes} of ${bytes}`).to.deep.equal(spoolBytes === bytes ? [1, 2] : [1]);
    }
  });

  it("are not on the disk before what was written before them is", () => {
    const store = createMemoryStore();
    store.local.write([{ key: Buffer.from("mark"), value: Buffer.from("m") }]);
    addRun(store, 1);
    store.bulk.flush(() => undefined);
    while (store.disk.unflushedSpoolBytes === 0) expect(store.disk.completeFlush()).to.equal(true);
    expect(store.disk.unflushedGroups).to.equal(0);
  });

  it("are all there again, at whatever point a merge is cut short, until all of it is durable", () => {
    let isWhole = false;
    for (let completions = 0; !isWhole; completions++) {
      const kept = (store: MemoryStore): number => store.disk.unflushedGroups;
      for (const groupsOf of [() => 0, kept, (store: MemoryStore) => Math.floor(kept(store) / 2)]) {
        const store = createMemoryStore();
        for (let run = 1; run <= RUNS; run++) {
          addRun(store, run);
          complete(store, (done) => store.bulk.flush(done));
        }
        store.bulk.settle(() => {
          isWhole = true;
        });
        for (let i = 0; i < completions; i++) store.disk.completeFlush();
        const again = store.disk.crash({ rest: groupsOf(store) });
        complete(again, (done) => again.bulk.settle(done));
        expect(runsIn(again), `after ${completions} completions`).to.deep.equal(firstRuns(RUNS));
      }
    }
  });

  it("are settled once for all who ask while it is under way, and something waits until then", () => {
    const store = createMemoryStore();
    addRun(store, 1);
    const ended: string[] = [];
    store.bulk.settle(() => ended.push("first"));
    let steps = 0;
    do {
      store.bulk.settle(() => ended.push("later"));
      expect([store.bulk.isEmpty, ended], `step ${steps}`).to.deep.equal([false, []]);
      steps++;
    } while (store.disk.completeFlush() && ended.length === 0);
    expect(ended).to.deep.equal(["first", ...Array.from({ length: steps }, () => "later")]);
    expect([store.bulk.isEmpty, runsIn(store)]).to.deep.equal([true, [1]]);
    store.bulk.settle(() => ended.push("again"));
    while (store.disk.completeFlush());
    expect(ended.at(-1)).to.equal("again");
  });

  it("end with the disk: the flush, and every later one, says so", () => {
    const store = createMemoryStore();
    addRun(store, 1);
    const said: (string | undefined)[] = [];
    store.bulk.flush((failure) => said.push(failure?.code));
    while (store.disk.unflushedSpoolBytes === 0) store.disk.completeFlush();
    store.disk.failNextFlush();
    store.disk.completeFlush();
    store.flush((failure) => said.push(failure?.code));
    store.bulk.settle((failure) => said.push(failure?.code));
    while (store.disk.completeFlush());
    expect(said).to.deep.equal(Array.from({ length: 3 }, () => "storage.flush-failed"));
  });

  it("are to be settled when there are many runs of them", () => {
    const store = createMemoryStore();
    let runs = 0;
    for (; !store.bulk.isFull; runs++) {
      store.bulk.add({ state: [{ key: Buffer.from(String(runs)), value: Buffer.from("v") }], local: [] });
      complete(store, (done) => store.bulk.flush(done));
    }
    expect(runs).to.equal(512);
    complete(store, (done) => store.bulk.settle(done));
    expect([store.bulk.isFull, store.bulk.isEmpty]).to.deep.equal([false, true]);
    expect([...store.state.range(Buffer.of(0), Buffer.of(255))].length).to.equal(runs);
  });
});

/** One run is durable, another one is being appended. */
function appending(): MemoryStore {
  const store = createMemoryStore();
  addRun(store, 1);
  complete(store, (done) => store.bulk.flush(done));
  addRun(store, 2);
  store.bulk.flush(() => undefined);
  while (store.disk.unflushedSpoolBytes === 0) store.disk.completeFlush();
  return store;
}

function complete(store: MemoryStore, act: (done: (failure: StorageError | undefined) => void) => void): void {
  let isDone = false;
  act((failure) => {
    expect(failure).to.equal(undefined);
    isDone = true;
  });
  while (!isDone) expect(store.disk.completeFlush(), "something waits").to.equal(true);
}
