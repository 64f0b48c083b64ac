import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
/** Ctrl-C is to end a cluster within seconds; a loaded machine may take a few more. */
const STOP_MS = 20_000;

interface StatusRow {
  readonly replica: number;
  readonly pid: number;
  readonly role: string;
  readonly executed: number;
}

describe("the quick start", function () {
  this.timeout(120_000);
  let path: string;

  async function end(): Promise<void> {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  }

  const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);

  /** Runs the cluster as `npm start` does, but for the build before. */
  async function cluster(name: string, ...args: string[]): Promise<RunningCommand> {
    const data = join(path, name);
    const command = new RunningCommand(process.execPath, [QUORATE_COMMAND, "cluster", "--data", data, ...args], {
      ownGroup: true,
    });
    await command.printed(/Ctrl-C stops the cluster/);
    return command;
  }

  async function fresh(name: string, replicas: number): Promise<RunningCommand> {
    return await cluster(name, "--port-base", `${await freePortBase(replicas)}`, "--replicas", `${replicas}`);
  }

  async function rows(name: string): Promise<StatusRow[]> {
    return JSON.parse((await quorate("status", "--json", "--data", join(path, name))).stdout);
  }

  async function stops(command: RunningCommand): Promise<void> {
    const startedMs = performance.now();
    const { code, stdout, stderr } = await command.exited;
    expect(performance.now() - startedMs).to.be.below(STOP_MS);
    expect(stdout).to.match(/cluster stopped; `npm start -- --data \S+` goes on with its data/);
    expect(stderr).to.equal("");
    expect(code).to.equal(0);
  }

  /** There is no event for the end of a process that is not a child. */
  async function gone(pids: readonly number[]): Promise<void> {
    const deadline = performance.now() + STOP_MS;
    for (;;) {
      const left = pids.filter(isAlive);
      if (left.length === 0) return;
      if (performance.now() > deadline) throw new Error(`processes ${left} outlive the cluster that started them`);
      await delay(25);
    }
  }

  describe("each time", () => {
    beforeEach(() => {
      path = mkdtempSync(join(tmpdir(), "quorate-start-"));
    });
    afterEach(end);

    it("runs from a clone, and an interrupt from the terminal ends it without a trace", async () => {
      const base = await freePortBase(4);
      const data = join(path, "a");
      const command = new RunningCommand("npm", ["start", "--", "--data", data, "--port-base", `${base}`], {
        cwd: ROOT,
        ownGroup: true,
      });
      await command.printed(/4 replicas with the key-value service are ready/);
      const pids = (await rows("a")).map(({ pid }) => pid);
      expect((await quorate("kv", "put", "greeting", "hello", "--data", data)).code).to.equal(0);

      // As a terminal does it: to npm, to the cluster and to every replica at once.
      command.signal("SIGINT");

      const { stdout } = await command.exited;
      expect(stdout).to.match(/cluster stopped/);
      await gone(pids);
    });

    for (const signal of ["SIGTERM", "SIGHUP"] as const)
      it(`ends all replicas when npm alone gets ${signal}`, async () => {
        const data = join(path, "a");
        const args = ["start", "--", "--data", data, "--port-base", `${await freePortBase(4)}`];
        const command = new RunningCommand("npm", args, { cwd: ROOT, ownGroup: true });
        await command.printed(/4 replicas with the key-value service are ready/);
        const pids = (await rows("a")).map(({ pid }) => pid);

        command.signalLeader(signal);

        await gone(pids);
      });

    it("runs clusters of four and of seven beside each other, which know nothing of one another", async () => {
      const [four, seven] = await Promise.all([fresh("four", 4), fresh("seven", 7)]);

      expect((await quorate("kv", "put", "x", "4", "--data", join(path, "four"))).code).to.equal(0);
      expect((await quorate("kv", "put", "x", "7", "--data", join(path, "seven"))).code).to.equal(0);

      expect((await quorate("kv", "get", "x", "--data", join(path, "four"))).stdout).to.equal("4\n");
      expect((await quorate("kv", "get", "x", "--data", join(path, "seven"))).stdout).to.equal("7\n");
      expect(await rows("four")).to.have.length(4);
      expect(await rows("seven")).to.have.length(7);
      for (const command of [four, seven]) {
        command.signal("SIGINT");
        await stops(command);
      }
    });

    it("ends all replicas on a signal to itself alone, and goes on with the data at the next start", async () => {
      const first = await fresh("a", 4);
      expect((await quorate("kv", "incr", "visits", "41", "--data", join(path, "a"))).stdout).to.equal("41\n");
      const pids = (await rows("a")).map(({ pid }) => pid);
      first.signalLeader("SIGINT");
      await stops(first);
      await gone(pids);

      const second = await cluster("a");

      expect((await quorate("kv", "incr", "visits", "--data", join(path, "a"))).stdout).to.equal("42\n");
      second.signalLeader("SIGTERM");
      await stops(second);
    });

    it("takes its replicas with it when it is killed", async () => {
      const command = await fresh("a", 4);
      const pids = (await rows("a")).map(({ pid }) => pid);

      command.signalLeader("SIGKILL");
      await command.exited;

      await gone(pids);
      expect((await cluster("a")).isRunning).to.equal(true);
    });
  });

  describe("of four replicas", () => {
    let command: RunningCommand;
    before(async () => {
      path = mkdtempSync(join(tmpdir(), "quorate-start-"));
      command = await fresh("a", 4);
    });
    after(end);

    it("tells what to type next, in the folder it was started for", async () => {
      const lines = command.output.split("\n").filter((line) => /^ {2}npx quorate/.test(line));
      expect(lines).to.have.length(3);
      for (const line of lines) {
        const { code, stderr } = await quorate(...line.trim().split(" ").slice(2));
        expect([code, stderr], line).to.deep.equal([0, ""]);
      }
    });

    it("keeps private keys for their owner alone", async () => {
      const keys = filesBelow(join(path, "a")).filter((file) => /key\.json$/.test(file));
      expect(keys).to.have.length(5);
      for (const file of keys) expect(statSync(file).mode & 0o777, file).to.equal(0o600);
      expect(statSync(join(path, "a")).mode & 0o777).to.equal(0o700);
      const genesis = readFileSync(join(path, "a", "genesis.json"), "utf8");
      for (const file of keys) expect(genesis).to.not.contain(JSON.parse(readFileSync(file, "utf8")).seed);
    });

    it("says when a replica ends, and goes on with the others", async () => {
      const victim = (await rows("a"))[3] as StatusRow;

      process.kill(victim.pid, "SIGKILL");
      await command.printed(
        /quorate: replica 3 ended with signal SIGKILL; `npx quorate start --data \S+` starts it again/,
      );

      expect((await quorate("kv", "put", "x", "1", "--data", join(path, "a"))).code).to.equal(0);
      const { code, stdout } = await quorate("status", "--data", join(path, "a"));
      expect(stdout).to.match(/3 +- +down/);
      expect(code).to.equal(6);
      command.signal("SIGINT");
      expect((await command.exited).code).to.equal(0);
    });

    it("starts a second time on its own data only, whatever numbers are asked for", async () => {
      const { code, stderr } = await quorate("cluster", "--data", join(path, "a"), "--replicas", "7");

      expect(stderr).to.match(/holds a cluster of 4 replicas from port \d+; leave out --replicas and --port-base/);
      expect(code).to.equal(1);
      const turns = await quorate("cluster", "--data", join(path, "a"), "--rotate-every", "7");
      expect(turns.stderr).to.match(/holds a cluster with --rotate-every 0, which cannot be changed; leave it out/);
      expect(turns.code).to.equal(1);
    });
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}
