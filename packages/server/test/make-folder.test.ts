import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError, makeFolder } from "@quorate/server";
import { expect } from "chai";

const ADVICE = "choose another";

describe("a folder to be made", () => {
  let root: string;
  before(() => {
    root = mkdtempSync(join(tmpdir(), "quorate-make-folder-"));
  });
  after(() => rmSync(root, { recursive: true }));

  it("is made with all above it, for its owner alone", () => {
    const path = join(root, "a", "b", "c");

    expect(makeFolder(path, ADVICE)).to.equal(true);

    for (const made of [path, join(root, "a", "b"), join(root, "a")])
      expect(statSync(made).mode & 0o777, made).to.equal(0o700);
  });

  it("is taken as it is when it is there", () => {
    expect(makeFolder(root, ADVICE)).to.equal(false);
  });

  it("is refused where a file is, above it or in its place, or a link to nowhere", () => {
    const file = join(root, "file");
    const link = join(root, "link");
    writeFileSync(file, "");
    symlinkSync(join(root, "nowhere"), link);

    for (const [path, code] of [
      [file, "EEXIST"],
      [join(file, "below"), "ENOTDIR"],
      [link, "EEXIST"],
    ] as const) {
      const complaint = `cannot make the folder ${path} (${code}); ${ADVICE}`;
      expect(() => makeFolder(path, ADVICE), path).to.throw(ConfigurationError, complaint);
    }
  });

  it("is refused, and not tried for ever, in a folder that takes no new one", function () {
    if (!existsSync("/proc/self")) return this.skip();
    const url = import.meta.resolve("@quorate/server");
    const source = `
      const { makeFolder } = await import(${JSON.stringify(url)});
      try { makeFolder("/proc/quorate/data", ${JSON.stringify(ADVICE)}); } catch (error) { console.log(error.message); }`;

    // A process of its own: what spins in a system call cannot be ended from within.
    const { stdout, signal } = spawnSync(process.execPath, ["--input-type=module", "--eval", source], {
      encoding: "utf8",
      timeout: 20_000,
      killSignal: "SIGKILL",
    });

    expect(signal).to.equal(null);
    expect(stdout).to.match(/^cannot make the folder \/proc\/quorate\/data \(\w+\); choose another\n$/);
  }).timeout(30_000);
});
