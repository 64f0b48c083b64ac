import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { sequenceNumber } from "@quorate/protocol";
import { initializeStore, type ReplicaStore } from "@quorate/storage";
import { expect } from "chai";
import { IDENTITY } from "./identity.ts";
import { openIn, temporaryFolder } from "./temporary-folder.ts";

const CHILD = fileURLToPath(new URL("crash-child.js", import.meta.url));

describe("A process that writes, flushes and dies", () => {
  const folder = temporaryFolder();

  for (const durability of ["sync", "async"]) {
    it(`leaves everything it acknowledged (${durability}), in whole groups, however often it is killed`, async () => {
      const path = join(folder(), "store");
      await initializeStore(path, IDENTITY);
      let acknowledgedBefore = 0;

      for (const acknowledgements of [1, 30, 700, 5, 311]) {
        const child = spawn(process.execPath, [CHILD, path, "400", durability], {
          stdio: ["ignore", "pipe", "inherit"],
        });
        const acknowledged = await killAfter(child, acknowledgements);

        expect(acknowledged).to.be.above(acknowledgedBefore);
        const store = openIn(path);
        expectWhole(store, acknowledged);
        await store.close();
        acknowledgedBefore = acknowledged;
      }
    });
  }

  it("hears of a failed flush, for good, and leaves what was acknowledged before", async function () {
    if (process.platform === "win32") this.skip();
    const path = join(folder(), "store");
    await initializeStore(path, IDENTITY);

    const command = 'ulimit -f 4000; exec "$0" "$@"';
    const child = spawn("sh", ["-c", command, process.execPath, CHILD, path, "20000"], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    const exit = once(child, "exit");
    const lines: string[] = [];
    for await (const line of createInterface(child.stdout)) lines.push(line);

    expect((await exit)[0]).to.equal(0);
    const failures = lines.filter((line) => line.startsWith("failed"));
    expect(failures).to.include("failed storage.flush-failed storage.flush-failed true");
    const store = openIn(path);
    expectWhole(store, Math.max(...lines.filter((line) => !line.startsWith("failed")).map(Number)));
    await store.close();
  });
});

/** Kills the child at the given count of acknowledgements; the highest one that was said. */
async function killAfter(child: ChildProcess, count: number): Promise<number> {
  const exit = once(child, "exit");
  let highest = 0;
  let seen = 0;
  for await (const line of createInterface(child.stdout!)) {
    highest = Math.max(highest, Number(line));
    if (++seen === count) child.kill("SIGKILL");
  }
  expect((await exit)[1]).to.equal("SIGKILL");
  return highest;
}

function expectWhole(store: ReplicaStore, acknowledged: number): void {
  const number = (bytes: Uint8Array | undefined): number => Number(Buffer.from(bytes!).toString());
  const applied = number(store.local.get(Buffer.from("applied")));

  expect(applied).to.be.at.least(acknowledged);
  expect(number(store.state.get(Buffer.from("a")))).to.equal(applied);
  expect(number(store.state.get(Buffer.from("z")))).to.equal(applied);
  expect(number(store.history.get(sequenceNumber(acknowledged)))).to.equal(acknowledged);
  const logged = [...store.log.entries()].map(({ seq, record }) => {
    expect(record.every((byte) => byte === seq % 251)).to.equal(true);
    return Number(seq);
  });
  const [first = 0] = logged;
  expect(first).to.be.at.most(Math.max(1, applied - 400));
  expect(logged).to.deep.equal(logged.map((_, i) => first + i));
  expect(logged.at(-1)).to.be.at.least(applied);
}
