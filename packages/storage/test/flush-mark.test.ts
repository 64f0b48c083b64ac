import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { sequenceNumber } from "@quorate/protocol";
import type { StorageError } from "@quorate/storage";
import { expect } from "chai";
import { FlushMarks } from "../dist/flush-marks.js";
import type { MarkFile } from "../dist/log-files.js";
import { initializeLog, NodeLogFiles } from "../dist/node-log-files.js";
import { NodeMarkFile } from "../dist/node-mark-file.js";
import { WriteAheadLog } from "../dist/write-ahead-log.js";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();

describe("The mark of a flushed group", () => {
  function logWith(write: MarkFile["write"]): WriteAheadLog {
    const path = join(folder(), "log");
    initializeLog(path);
    const files = new NodeLogFiles(path, true);
    files.openMarks = () => ({ read: () => Buffer.alloc(0), write, close: (done) => done(null) });
    return new WriteAheadLog({ files, logId: randomBytes(16), mark: { number: 0, checksum: 0 } });
  }
  function flushed(log: WriteAheadLog, seq: number): Promise<StorageError | undefined> {
    log.append(sequenceNumber(seq), Buffer.from(`record of ${seq}`));
    return new Promise((resolve) => log.flush(resolve));
  }

  it("is made of each group before its flush is done", async () => {
    const made: number[] = [];
    const log = logWith((bytes) => made.push(bytes.readUIntBE(16, 6)));

    for (const group of [1, 2, 3]) {
      expect(await flushed(log, group)).to.equal(undefined);
      expect(made.at(-1)).to.equal(group);
    }
    await log.close();
  });

  it("that cannot be made is a flush that failed, for good", async () => {
    const full = (): never => {
      throw new Error("no space left");
    };
    const log = logWith(full);

    expect((await flushed(log, 1))?.code).to.equal("storage.flush-failed");
    expect((await flushed(log, 2))?.message).to.include("no space left");
    await log.close();
  });

  it("stands in its own sector, beside that of the group before", () => {
    const path = join(folder(), "flushed");
    const marks = new FlushMarks(new NodeMarkFile(path), randomBytes(16));
    marks.write({ number: 1, checksum: 7 });
    const one = readFileSync(path);
    marks.write({ number: 2, checksum: 8 });
    const two = readFileSync(path);
    marks.close(() => undefined);

    expect(two.subarray(512, 542).equals(one.subarray(512, 542)), "the other slot is left alone").to.equal(true);
    expect(two.subarray(0, 30).equals(one.subarray(0, 30))).to.equal(false);
  });

  it("can be read more than once", () => {
    const file = new NodeMarkFile(join(folder(), "flushed"));
    file.write(Buffer.from("mark"), 2);
    const reads = [file.read(), file.read()].map((bytes) => bytes.toString("latin1"));
    file.close(() => undefined);

    expect(reads).to.deep.equal(["\0\0mark", "\0\0mark"]);
  });
});
