import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { lockFolder, lockFolderToRead, lockHolderOf, StorageError } from "@quorate/storage";
import { expect } from "chai";
import { temporaryFolder } from "./temporary-folder.ts";

const HOLDER = `
  import { lockFolder } from "@quorate/storage";
  lockFolder(process.argv[1]);
  console.log("locked");
  setInterval(() => {}, 1_000_000);
`;

function refusal(path: string): StorageError {
  try {
    lockFolder(path);
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("the lock was given");
}

async function holder(path: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, ["--input-type=module", "--eval", HOLDER, path], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(createInterface(child.stdout), "line");
  return child;
}

describe("A locked folder", () => {
  const folder = temporaryFolder();

  it("is refused to a second taker, who is told the process, until it is released", () => {
    const path = join(folder(), "data");
    const lock = lockFolder(path);

    const failure = refusal(path);
    expect(failure.code).to.equal("storage.locked");
    expect(failure.message).to.include(`process ${process.pid}`).and.include(path);
    lock.release();
    lock.release();
    lockFolder(path).release();
    expect(readdirSync(path)).to.deep.equal([]);
  });

  it("is refused while another process holds it and free once that one is killed", async () => {
    const path = folder();
    const child = await holder(path);
    expect(refusal(path).message).to.include(`process ${child.pid}`);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;

    const lock = lockFolder(path);
    expect(readdirSync(path)).to.have.length(1);
    lock.release();
  });

  it("is free when the holder's pid lives on in another process", function () {
    if (!existsSync("/proc/self/stat")) this.skip();
    const path = folder();
    lockFolder(path);
    const [name = ""] = readdirSync(path);
    const earlier = name.replace(/^lock\.(\d+)\.([0-9a-f]+)-[0-9a-f]+\./, "lock.$1.$2-1.");
    expect(earlier).to.not.equal(name);
    renameSync(join(path, name), join(path, earlier));

    lockFolder(path).release();
    expect(readdirSync(path)).to.deep.equal([]);
  });

  it("is judged by the pid alone when the lock tells no start time", () => {
    const path = folder();
    writeFileSync(join(path, `lock.${process.pid}.0.aa`), "");

    expect(refusal(path).code).to.equal("storage.locked");
  });

  it("names its holder, and nobody once that one is gone or where no folder is", async () => {
    const path = folder();
    const child = await holder(path);
    expect(lockHolderOf(path)).to.equal(child.pid);
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;

    expect(lockHolderOf(path)).to.equal(undefined);
    writeFileSync(join(path, "file"), "");
    expect(lockHolderOf(join(path, "nowhere"))).to.equal(undefined);
    expect(lockHolderOf(join(path, "file"))).to.equal(undefined);
  });

  it("leaves all other files alone", () => {
    const path = folder();
    writeFileSync(join(path, "lock.txt"), "");
    lockFolder(path).release();

    expect(readdirSync(path)).to.deep.equal(["lock.txt"]);
  });

  it("is kept from others while it is only looked at, and the locks of dead holders stay in it", async () => {
    const path = folder();
    const child = await holder(path);
    const exit = once(child, "exit");
    expect(() => lockFolderToRead(path)).to.throw(StorageError, `process ${child.pid}`);
    child.kill("SIGKILL");
    await exit;
    const before = readdirSync(path);

    const lock = lockFolderToRead(path);
    expect(refusal(path).code).to.equal("storage.locked");
    lock.release();

    expect(before).to.have.length(1);
    expect(readdirSync(path)).to.deep.equal(before);
  });

  it("is not made by whoever only looks at it", () => {
    const path = join(folder(), "missing");
    expect(() => lockFolderToRead(path)).to.throw("ENOENT");
    expect(existsSync(path)).to.equal(false);
  });
});
