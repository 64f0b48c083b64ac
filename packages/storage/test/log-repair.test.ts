import { randomBytes } from "node:crypto";
import { readFileSync, statSync, truncateSync, utimesSync } from "node:fs";
import { join } from "node:path";
import { sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";
import type { LogFiles } from "../dist/log-files.js";
import { initializeLog, NodeLogFiles, segmentPath } from "../dist/node-log-files.js";
import { NodeMarkFile } from "../dist/node-mark-file.js";
import { WriteAheadLog } from "../dist/write-ahead-log.js";
import { expectFailure } from "./failures.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const LOG_ID = randomBytes(16);
const NOTHING_MARKED = { number: 0, checksum: 0 };
const LONG_AGO = new Date(0);

describe("What a start makes of the log that it finds", () => {
  const folder = temporaryFolder();

  function newLog(): string {
    const path = join(folder(), "log");
    initializeLog(path);
    return path;
  }

  function open(files: LogFiles): WriteAheadLog {
    return new WriteAheadLog({ files, logId: LOG_ID, mark: NOTHING_MARKED });
  }

  /** A log of some groups as a killed process leaves it. */
  async function logOf(groups: number): Promise<string> {
    const path = newLog();
    const log = open(new NodeLogFiles(path, true));
    for (let seq = 1; seq <= groups; seq++) {
      log.append(sequenceNumber(seq), Buffer.alloc(100, seq));
      await new Promise((resolve) => log.flush(resolve));
    }
    await log.close();
    return path;
  }

  /** The same files, which write down from where they are asked to settle a segment. */
  function watched(path: string, isSynced = true): { files: NodeLogFiles; settled: number[] } {
    const files = new NodeLogFiles(path, isSynced);
    const settle = files.settle.bind(files);
    const settled: number[] = [];
    files.settle = (segment, from) => {
      settled.push(from);
      settle(segment, from);
    };
    return { files, settled };
  }

  it("is written again from the end of what a mark vouches for, and marked", async () => {
    const path = await logOf(3);
    const lengths: number[] = [];
    // Nothing of the mark is left; then all of it is, as the start before has made it.
    truncateSync(join(path, "..", "flushed"), 0);
    for (let start = 1; start <= 2; start++) {
      const { files, settled } = watched(path);
      await open(files).close();
      lengths.push(...settled);
    }

    expect(lengths).to.deep.equal([0, readFileSync(segmentPath(path, 1)).length]);
  });

  for (const [durability, isSynced] of [
    ["sync", true],
    ["async", false],
  ] as const)
    it(`reaches the disk by another write, with the same bytes, or with async nothing at all (${durability})`, async () => {
      const path = await logOf(3);
      const segment = segmentPath(path, 1);
      const before = readFileSync(segment);
      for (const [from, isWritten] of [
        [0, isSynced],
        [before.length, false],
      ] as const) {
        utimesSync(segment, LONG_AGO, LONG_AGO);
        new NodeLogFiles(path, isSynced).settle(1, from);

        expect(statSync(segment).mtimeMs > LONG_AGO.getTime(), `from ${from}`).to.equal(isWritten);
        expect(readFileSync(segment).equals(before)).to.equal(true);
      }
    });

  it("is no store to run on when it cannot be made durable, which one line says, nor a lost disk", () => {
    const files = new NodeLogFiles(newLog(), true);
    files.settle = () => {
      throw Object.assign(new Error("EIO: i/o error, fsync"), { code: "EIO" });
    };

    expectFailure(() => open(files), "storage.flush-failed", files.place, "EIO: i/o error, fsync", "repair the disk");
  });

  it("is not lost either when this process has not the right to make it durable", () => {
    const files = new NodeLogFiles(newLog(), true);
    files.settle = () => {
      throw Object.assign(new Error("EROFS: read-only file system"), { code: "EROFS" });
    };

    expectFailure(() => open(files), "storage.inaccessible", files.place, "EROFS");
  });

  it("lets go of the marks when the segment cannot be opened to be written on", () => {
    const files = new NodeLogFiles(newLog(), true);
    const file = new NodeMarkFile(join(files.place, "..", "flushed"));
    let closed = 0;
    files.openMarks = () => ({
      read: () => file.read(),
      write: (bytes, at) => file.write(bytes, at),
      close: (done) => {
        closed += 1;
        file.close(done);
      },
    });
    files.open = () => {
      throw new Error("too many open files");
    };

    expect(() => open(files)).to.throw("too many open files");
    expect(closed).to.equal(1);
  });
});
