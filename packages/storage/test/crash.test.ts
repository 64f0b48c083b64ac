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

        expect(acknowledged.log).to.be.above(acknowledgedBefore);
        const store = openIn(path);
        expectWhole(store, acknowledged);
        await store.close();
        acknowledgedBefore = acknowledged.log;
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
    const acknowledged: Acknowledged = { log: 0, rest: 0 };
    for (const line of lines.filter((said) => !said.startsWith("failed"))) acknowledge(acknowledged, line);
    expectWhole(store, acknowledged);
    await store.close();
  });
});

/** The highest numbers that were said to be durable. */
interface Acknowledged {
  log: number;
  rest: number;
}

function acknowledge(highest: Acknowledged, line: string): void {
  const [seq, what] = line.split(" ");
  highest.log = Math.max(highest.log, Number(seq));
  if (what === "all") highest.rest = Math.max(highest.rest, Number(seq));
}

/** Kills the child at the given count of acknowledgements; the highest ones that were said. */
async function killAfter(child: ChildProcess, count: number): Promise<Acknowledged> {
  const exit = once(child, "exit");
  const highest: Acknowledged = { log: 0, rest: 0 };
  let seen = 0;
  for await (const line of createInterface(child.stdout!)) {
    acknowledge(highest, line);
    if (++seen === count) child.kill("SIGKILL");
  }
  expect((await exit)[1]).to.equal("SIGKILL");
  return highest;
}

function expectWhole(store: ReplicaStore, acknowledged: Acknowledged): void {
  const number = (bytes: Uint8Array | undefined): number => Number(Buffer.from(bytes ?? "0").toString());
  const applied = number(store.local.get(Buffer.from("applied")));

  expect(applied).to.be.at.least(acknowledged.rest);
  expect(number(store.state.get(Buffer.from("a")))).to.equal(applied);
  expect(number(store.state.get(Buffer.from("z")))).to.equal(applied);
  if (applied > 0) expect(number(store.history.get(sequenceNumber(applied)))).to.equal(applied);
  const logged = [...store.log.entries()].map(({ seq, record }) => {
    expect(record.every((byte) => byte === seq % 251)).to.equal(true);
    return Number(seq);
  });
  const [first = 0] = logged;
  expect(first).to.be.at.most(Math.max(1, acknowledged.log - 400));
  expect(logged).to.deep.equal(logged.map((_, i) => first + i));
  expect(logged.at(-1)).to.be.at.least(acknowledged.log);
}
