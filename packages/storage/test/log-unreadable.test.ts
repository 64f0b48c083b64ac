import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";
import { initializeLog, NodeLogFiles } from "../dist/node-log-files.js";
import { WriteAheadLog } from "../dist/write-ahead-log.js";
import { expectFailure } from "./failures.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const LOG_ID = randomBytes(16);
const NOTHING_MARKED = { number: 0, checksum: 0 };
const SEGMENT = "00000001.wal";

function failing(code: string, said: string): () => never {
  return () => {
    throw Object.assign(new Error(`${code}: ${said}`), { code, syscall: "read" });
  };
}

describe("A log that the system does not let a start read", () => {
  const folder = temporaryFolder();

  function newFiles(): NodeLogFiles {
    const path = join(folder(), "log");
    initializeLog(path);
    return new NodeLogFiles(path, true);
  }

  function open(files: NodeLogFiles): WriteAheadLog {
    return new WriteAheadLog({ files, logId: LOG_ID, mark: NOTHING_MARKED });
  }

  /** Which call is refused, and what the line names. */
  const CALLS: readonly [what: string, refuse: (files: NodeLogFiles, fail: () => never) => void, named: string][] = [
    ["folder is listed", (files, fail) => Object.assign(files, { segments: fail }), "/log"],
    ["segment is read", (files, fail) => Object.assign(files, { read: fail }), `/log/${SEGMENT}`],
    ["segment is opened", (files, fail) => Object.assign(files, { open: fail }), `/log/${SEGMENT}`],
    ["flush marks are opened", (files, fail) => Object.assign(files, { openMarks: fail }), "the flush marks beside "],
    [
      "flush marks are read",
      (files, fail) => {
        files.openMarks = () => ({ read: fail, write: fail, close: (done) => done(null) });
      },
      "the flush marks beside ",
    ],
  ];
  for (const [what, refuse, named] of CALLS) {
    it(`is no lost disk when its ${what}: one line names the file, the reason and what to do`, () => {
      const files = newFiles();
      refuse(files, failing("EIO", "i/o error, read"));

      const said = [files.place, named, "EIO: i/o error, read", "start again"];
      expectFailure(() => open(files), "storage.inaccessible", ...said);
    });

    it(`asks for the right when its ${what} and that is refused`, () => {
      const files = newFiles();
      refuse(files, failing("EACCES", "permission denied"));

      expectFailure(() => open(files), "storage.inaccessible", files.place, named, "(EACCES)", "the right to read");
    });
  }

  it("is not what the own code throws: that is told as it is", () => {
    const files = newFiles();
    const bug = new TypeError("not a function");
    files.read = () => {
      throw bug;
    };
    expect(() => open(files)).to.throw(bug);
  });

  it("is told of in the same way when a record is read for the start", async () => {
    const files = newFiles();
    const log = open(files);
    log.append(sequenceNumber(1), Buffer.from("a promise"));
    await new Promise((resolve) => log.flush(resolve));
    const fail = failing("EIO", "i/o error, read");
    for (const openToRead of [fail, () => ({ read: fail, close: () => undefined })]) {
      files.openToRead = openToRead;

      expectFailure(() => [...log.entries()], "storage.inaccessible", SEGMENT, "EIO: i/o error", "start again");
    }
    await log.close();
  });
});
