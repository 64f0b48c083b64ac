import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sequenceNumber } from "@quorate/protocol";
import { initializeStore, type ReplicaStore, StorageError } from "@quorate/storage";
import { expect } from "chai";
import { expectFailure } from "./failures.ts";
import { IDENTITY } from "./identity.ts";
import { flush, openIn, temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const SEGMENT = "00000001.wal";
/** Enough for another segment. */
const LARGE = 1_500_000;

async function made(): Promise<string> {
  const path = join(folder(), "store");
  await initializeStore(path, IDENTITY);
  return path;
}

function logFile(path: string, name: string = SEGMENT): string {
  return join(path, "log", name);
}

function markFile(path: string): string {
  return join(path, "flushed");
}

function append(store: ReplicaStore, seq: number, record: string | Buffer = `record of ${seq}`): void {
  store.log.append(sequenceNumber(seq), Buffer.from(record));
}

function flushLog(store: ReplicaStore): Promise<void> {
  return new Promise((resolve, reject) => store.flushLog((failure) => (failure ? reject(failure) : resolve())));
}

/** A copy of a store as a crash would leave it now: the files, without what a close adds. */
function crashed(path: string): string {
  const copy = join(folder(), "store");
  cpSync(path, copy, { recursive: true });
  return copy;
}

/** What a store holds after a crash, or why it is not opened. */
async function opened(path: string): Promise<number[] | string> {
  try {
    const store = openIn(path);
    const held = [...store.log.entries()].map(({ seq }) => Number(seq));
    await store.close();
    return held;
  } catch (error) {
    if (error instanceof StorageError) return error.code;
    throw error;
  }
}

/**
 * The same after a power cut that left as little of the flush mark as can be: it is not synced, so that the end of the log
 * may be a group that was never acknowledged.
 */
async function threeGroups(): Promise<{ path: string; ends: number[] }> {
  const made = await threeMarkedGroups();
  rmSync(markFile(made.path));
  return made;
}

/** A killed store with groups 1, 2 2, 3 of the log in one segment and nothing in the database; the groups' ends. */
async function threeMarkedGroups(): Promise<{ path: string; ends: number[] }> {
  const path = await made();
  const store = openIn(path);
  const groups = [[1], [2, 2], [3]];
  for (const group of groups) {
    for (const seq of group) append(store, seq);
    await flushLog(store);
  }
  const copy = crashed(path);
  await store.close();
  const content = readFileSync(logFile(copy));
  const starts: number[] = [];
  for (let at = content.indexOf("QWAL"); at !== -1; at = content.indexOf("QWAL", at + 1)) starts.push(at);
  expect(starts).to.have.length(groups.length);
  const last = content.findLastIndex((byte) => byte !== 0) + 1;
  return { path: copy, ends: [...starts.slice(1), last] };
}

describe("The log's files after a crash", () => {
  it("hold every group that was flushed", async () => {
    const { path } = await threeGroups();

    expect(await opened(path)).to.deep.equal([1, 2, 2, 3]);
    expect(await opened(path), "again").to.deep.equal([1, 2, 2, 3]);
  });

  it("cut off anywhere, give whole groups, the first ones", async () => {
    const { path, ends } = await threeGroups();
    const content = readFileSync(logFile(path));
    const prefixes = [[], [1], [1, 2, 2], [1, 2, 2, 3]];

    for (let length = 0; length <= ends[2]!; length++) {
      const copy = crashed(path);
      writeFileSync(logFile(copy), content.subarray(0, length));
      expect(await opened(copy), `cut off at ${length}`).to.deep.equal(
        prefixes[ends.filter((end) => end <= length).length],
      );
      rmSync(copy, { recursive: true });
    }
  }).timeout(60_000);

  it("are refused for any byte that differs before the last group, and lose the last group for one in it", async () => {
    const { path, ends } = await threeGroups();
    const content = readFileSync(logFile(path));

    for (let at = 0; at < ends[2]!; at++) {
      const copy = crashed(path);
      const changed = Buffer.from(content);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(logFile(copy), changed);
      expect(await opened(copy), `byte ${at}`).to.deep.equal(at < ends[1]! ? "storage.damaged" : [1, 2, 2]);
      rmSync(copy, { recursive: true });
    }
  }).timeout(60_000);

  it("are written on behind a group that was cut short", async () => {
    const { path, ends } = await threeGroups();
    writeFileSync(logFile(path), readFileSync(logFile(path)).subarray(0, ends[2]! - 3));
    const store = openIn(path);
    append(store, 4);
    await flushLog(store);

    expect(await opened(crashed(path))).to.deep.equal([1, 2, 2, 4]);
    await store.close();
  });

  it("are refused when they lack what the database knows to be durable", async () => {
    const { path, ends } = await threeGroups();
    const store = openIn(path);
    await store.close();
    const content = readFileSync(logFile(path));

    for (const length of [0, ends[0]!, ends[2]! - 1]) {
      writeFileSync(logFile(path), content.subarray(0, length));
      expect(await opened(path), `cut off at ${length}`).to.equal("storage.damaged");
    }
    const changed = Buffer.from(content);
    changed[ends[2]! - 1]! ^= 1;
    writeFileSync(logFile(path), changed);
    expectFailure(() => openIn(path), "storage.damaged", "3 groups were flushed");
  });

  it("are refused when the folder or all segments have vanished", async () => {
    const { path } = await threeGroups();
    rmSync(logFile(path));
    expectFailure(() => openIn(path), "storage.damaged", "no segment");
    rmSync(join(path, "log"), { recursive: true });
    expectFailure(() => openIn(path), "storage.damaged", "not there", "lost");
  });

  it("are refused when they are another store's", async () => {
    const [one, other] = [await threeGroups(), await threeGroups()];
    cpSync(logFile(one.path), logFile(other.path));

    expectFailure(() => openIn(other.path), "storage.foreign", SEGMENT, "own folder");
  });

  it("are refused when a group lies elsewhere than it was written", async () => {
    const { path, ends } = await threeGroups();
    const content = readFileSync(logFile(path));
    writeFileSync(logFile(path), content.subarray(ends[0], ends[2]));

    expectFailure(() => openIn(path), "storage.damaged", "was written as byte");
  });
});

describe("The log of a killed process", () => {
  it("is refused for any byte that differs in a group that was flushed, the last one included", async () => {
    const { path, ends } = await threeMarkedGroups();
    const content = readFileSync(logFile(path));
    expect(await opened(crashed(path)), "unchanged").to.deep.equal([1, 2, 2, 3]);

    for (let at = 0; at < ends[2]!; at++) {
      const copy = crashed(path);
      const changed = Buffer.from(content);
      changed[at]! ^= 1 << (at % 8);
      writeFileSync(logFile(copy), changed);
      expect(await opened(copy), `byte ${at}`).to.equal("storage.damaged");
      rmSync(copy, { recursive: true });
    }
  }).timeout(60_000);

  it("is refused when it ends before the last group that was flushed", async () => {
    const { path, ends } = await threeMarkedGroups();
    const content = readFileSync(logFile(path));

    for (const length of [0, ends[0]!, ends[1]!, ends[2]! - 1]) {
      const copy = crashed(path);
      writeFileSync(logFile(copy), content.subarray(0, length));
      expect(await opened(copy), `cut off at ${length}`).to.equal("storage.damaged");
    }
  });

  it("loses a group that was cut short behind the last one that was flushed, and nothing else", async () => {
    const { path, ends } = await threeMarkedGroups();
    const content = readFileSync(logFile(path));
    content.set(content.subarray(ends[1]!, ends[2]! - 1), ends[2]!);
    writeFileSync(logFile(path), content);

    expect(await opened(path)).to.deep.equal([1, 2, 2, 3]);
  });
});

describe("The flush mark", () => {
  it("says the group before when its last slot is damaged, and nothing when both are or the file has vanished", async () => {
    const { path, ends } = await threeMarkedGroups();
    const content = readFileSync(logFile(path));
    const marks = readFileSync(markFile(path));
    // Group 3 is in the second slot, group 2 in the first; each has a sector.
    const damage = (...slots: number[]): Buffer => {
      const changed = Buffer.from(marks);
      for (const slot of slots) changed[slot * 512 + 20]! ^= 1;
      return changed;
    };
    const cases = [
      { left: damage(1), length: ends[1]! - 1, expected: "storage.damaged" },
      { left: damage(1), length: ends[2]! - 1, expected: [1, 2, 2] },
      { left: damage(0), length: ends[2]! - 1, expected: "storage.damaged" },
      { left: damage(0, 1), length: ends[1]! - 1, expected: [1] },
      { left: Buffer.alloc(0), length: ends[1]! - 1, expected: [1] },
    ];

    for (const [i, { left, length, expected }] of cases.entries()) {
      const copy = crashed(path);
      writeFileSync(markFile(copy), left);
      writeFileSync(logFile(copy), content.subarray(0, length));
      expect(await opened(copy), `case ${i}`).to.deep.equal(expected);
    }
  });

  it("of another log is passed over", async () => {
    const [one, other] = [await threeMarkedGroups(), await threeMarkedGroups()];
    cpSync(markFile(one.path), markFile(other.path));

    expect(await opened(other.path)).to.deep.equal([1, 2, 2, 3]);
  });
});

describe("The log's segments", () => {
  /** Four records of a megabyte and more, each a group: the fourth begins the second segment. */
  async function twoSegments(): Promise<{ path: string; store: ReplicaStore }> {
    const path = await made();
    const store = openIn(path);
    for (const seq of [1, 2, 3, 4]) {
      append(store, seq, Buffer.alloc(LARGE, seq));
      await flushLog(store);
    }
    expect(segments(path)).to.deep.equal([SEGMENT, "00000002.wal"]);
    return { path, store };
  }

  function segments(path: string): string[] {
    return readdirSync(join(path, "log")).sort();
  }

  it("are read as one log", async () => {
    const { path, store } = await twoSegments();

    expect(await opened(crashed(path))).to.deep.equal([1, 2, 3, 4]);
    await store.close();
  });

  it("are refused when one has vanished, is cut off, ends with other bytes or has changed places", async () => {
    const { path, store } = await twoSegments();
    const [first, second] = segments(path) as [string, string];
    const changes: ((copy: string) => void)[] = [
      (copy) => rmSync(logFile(copy, first)),
      (copy) => writeFileSync(logFile(copy, first), readFileSync(logFile(copy, first)).subarray(0, LARGE)),
      (copy) =>
        writeFileSync(logFile(copy, first), Buffer.concat([readFileSync(logFile(copy, first)), Buffer.from("x")])),
      (copy) => renameSync(logFile(copy, second), logFile(copy, "00000003.wal")),
      (copy) => writeFileSync(logFile(copy, first), ""),
    ];
    for (const change of changes) {
      const copy = crashed(path);
      change(copy);
      expect(await opened(copy)).to.equal("storage.damaged");
    }
    await store.close();
  });

  it("are there until their cut is durable, and gone after it", async () => {
    const { path, store } = await twoSegments();
    store.log.cut(sequenceNumber(3));
    const before = crashed(path);
    await flushLog(store);
    // Crashed after the cut was durable and before the segment was deleted, or after it.
    const between = crashed(path);
    cpSync(logFile(before), logFile(between));

    expect(await opened(before), "cut, not flushed").to.deep.equal([1, 2, 3, 4]);
    expect(await opened(between), "flushed, not deleted").to.deep.equal([4]);
    expect(segments(between)).to.deep.equal(["00000002.wal"]);
    await flush(store);
    await store.close();
    rmSync(logFile(path), { force: true });
    expect(await opened(path), "deleted").to.deep.equal([4]);
  });

  it("that were begun and not written to are taken up again", async () => {
    const { path, store } = await twoSegments();
    for (const content of ["", Buffer.from("a group that was cut short")]) {
      const copy = crashed(path);
      writeFileSync(logFile(copy, "00000003.wal"), content);
      const again = openIn(copy);
      append(again, 5);
      await again.close();

      expect(await opened(copy)).to.deep.equal([1, 2, 3, 4, 5]);
    }
    await store.close();
  });

  it("do not grow while what they hold is cut", async () => {
    const path = await made();
    const store = openIn(path);
    for (let seq = 1; seq <= 30; seq++) {
      append(store, seq, Buffer.alloc(LARGE, seq));
      if (seq > 2) store.log.cut(sequenceNumber(seq - 2));
      await flushLog(store);
    }
    await store.close();

    expect(await opened(path)).to.deep.equal([29, 30]);
    expect(segments(path).length).to.be.at.most(2);
  });
});

describe("The rest of a store", () => {
  it("is committed soon without being asked, and says how far the log is durable", async () => {
    const path = await made();
    const store = openIn(path);
    append(store, 1);
    await flushLog(store);
    store.state.write([{ key: Buffer.from("a"), value: Buffer.from("1") }]);
    const before = crashed(path);
    let copy = before;
    for (let isThere = false; !isThere; ) {
      await new Promise(setImmediate);
      copy = crashed(path);
      const again = openIn(copy);
      isThere = again.state.get(Buffer.from("a")) !== undefined;
      await again.close();
    }
    writeFileSync(logFile(copy), "");

    expect(await opened(copy)).to.equal("storage.damaged");
    await store.close();
  });
});
