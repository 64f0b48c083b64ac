import { mkdtempSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const README = readFileSync(join(ROOT, "README.md"), "utf8");

/** The files that the README has its reader write, by name. */
const FILES = [...README.matchAll(/`(\w+\.mjs)`:\n\n```js\n([\s\S]*?)^```$/gm)];
/** What it has them type to start the service. */
const [, START_LINE = ""] = /^npm start -- (--service .*)$/m.exec(README) ?? [];
/** And then, with what it says will be printed. */
const CALLS = [...README.matchAll(/^node (add\.mjs .*?) +# (.*)$/gm)];

describe("a service of one's own", function () {
  this.timeout(120_000);
  let path: string;
  let base: string;
  async function prepare(): Promise<void> {
    path = mkdtempSync(join(tmpdir(), "quorate-service-"));
    symlinkSync(join(ROOT, "node_modules"), join(path, "node_modules"), "dir");
    for (const [, name = "", code = ""] of FILES) writeFileSync(join(path, name), code);
    base = `${await freePortBase(4)}`;
  }

  async function end(): Promise<void> {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  }

  const run = (...args: string[]): RunningCommand => new RunningCommand(process.execPath, args, { cwd: path });
  const cluster = (...args: string[]): RunningCommand => run(QUORATE_COMMAND, "cluster", ...args);

  /** One line of complaint, and no cluster made for it. */
  async function refuses(command: RunningCommand, complaint: RegExp): Promise<void> {
    await refusesToRun(command, complaint);
    expect(() => readFileSync(join(path, "x", "genesis.json"))).to.throw(/ENOENT/);
  }

  async function refusesToRun(command: RunningCommand, complaint: RegExp): Promise<void> {
    const { code, stdout, stderr }: Exit = await command.exited;
    expect(stderr).to.match(complaint);
    expect(stderr.trimEnd().split("\n"), stderr).to.have.length(1);
    expect([code, stdout]).to.deep.equal([1, ""]);
  }

  /** Makes a cluster in the folder x, which has run and stands still then. */
  async function made(...args: string[]): Promise<void> {
    const command = cluster("--data", "x", "--port-base", base, "--json", ...args);
    await command.printed(/\n/);
    command.signal("SIGTERM");
    expect((await command.exited).code).to.equal(0);
  }

  /** As an operator with an editor. */
  function nameService(id: number, service: string | null): void {
    const file = join(path, "x", `replica-${id}`, "replica.json");
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), service }));
  }

  describe("each time", () => {
    beforeEach(prepare);
    afterEach(end);

    it("runs as the README says, answers as it says, and goes on with its data", async () => {
      const words = START_LINE.replace(/(?<=--port-base )\d+/, base).split(" ");
      expect(FILES.map(([, name]) => name)).to.deep.equal(["counter.mjs", "add.mjs"]);
      expect(CALLS).to.have.length.greaterThan(2);
      const first = cluster(...words);
      await first.printed(/4 replicas with the service \.\/counter\.mjs are ready/);

      for (const [, call = "", answer] of CALLS) {
        const { code, stdout, stderr } = await run(...call.split(" ")).exited;
        expect([code, stdout, stderr], call).to.deep.equal([0, `${answer}\n`, ""]);
      }

      first.signal("SIGINT");
      const [, again = ""] = /`npm start -- (.*)` goes on with its data\n$/.exec((await first.exited).stdout) ?? [];
      expect(README).to.contain(`\`npm start -- ${again}\` goes on with it`);
      const second = cluster(...again.split(" "));
      await second.printed(/4 replicas with the service \.\/counter\.mjs are ready/);
      const [, call = "", answer = ""] = CALLS[0] as RegExpExecArray;
      const [before, sum] = [Number(/\d+/.exec(CALLS[1]?.[2] ?? "")), Number(/\d+/.exec(answer))];
      expect((await run(...call.split(" ")).exited).stdout).to.equal(`ok ${before + sum}\n`);
    });

    it("is started again at one replica by the line that is printed when that one ends", async () => {
      const command = cluster("--data", "x", "--port-base", base, "--service", "./counter.mjs");
      await command.printed(/are ready/);
      const status = await run(QUORATE_COMMAND, "status", "--data", "x", "--json").exited;
      const pids = (JSON.parse(status.stdout) as { pid: number }[]).map(({ pid }) => pid);

      process.kill(pids[3] as number, "SIGKILL");
      await command.printed(/replica 3 ended/);

      const [, line = ""] = /`npx quorate (start [^`]*)` starts it again/.exec(command.output) ?? [];
      expect(line).to.equal("start --data x/replica-3");
      const replica = run(QUORATE_COMMAND, ...line.split(" "));
      await replica.message("ready");
      replica.signal("SIGTERM");
      expect((await replica.exited).code).to.equal(0);
    });

    it("may move: the next start names the new place", async () => {
      const first = cluster("--data", "x", "--port-base", base, "--service", "./counter.mjs");
      await first.printed(/are ready/);
      first.signal("SIGINT");
      await first.exited;
      renameSync(join(path, "counter.mjs"), join(path, "moved.mjs"));

      const { code, stderr } = await cluster("--data", "x").exited;
      expect(code).to.equal(1);
      expect(stderr).to.match(/^quorate: replica \d: no service at \S+counter\.mjs: expected an ES module/);
      const second = cluster("--data", "x", "--service", "./moved.mjs");
      await second.printed(/with the service \.\/moved\.mjs are ready/);
      second.signal("SIGINT");
      expect((await second.exited).stdout).to.contain("`npm start -- --data x --service ./moved.mjs` goes on");
    });

    it("is not put upon the data of the key-value store, nor started twice", async () => {
      const first = cluster("--data", "x", "--port-base", base);
      await first.printed(/the key-value service are ready/);

      const twice = await cluster("--data", "x").exited;
      expect([twice.code, twice.stdout]).to.deep.equal([1, ""]);
      expect(twice.stderr).to.match(
        /^quorate: the cluster in x runs already \(replica 0 as process \d+, .*\); ask it with `npx quorate status --data x`, .*\n$/,
      );
      first.signal("SIGINT");
      await first.exited;
      const other = await cluster("--data", "x", "--service", "./counter.mjs").exited;
      expect([other.code, other.stdout]).to.deep.equal([1, ""]);
      expect(other.stderr).to.match(
        /^quorate: x\/replica-0 holds the state of the key-value store \(as do 3 more\), which no other service understands; leave out .*\n$/,
      );
    });

    it("is refused in one line before a cluster is made for it", async () => {
      writeFileSync(join(path, "wrong.mjs"), "export const service = { exec() {} };");

      await refuses(
        cluster("--data", "x", "--port-base", base, "--service", "./wrong.mjs"),
        /^quorate: \.\/wrong\.mjs exports no service: expected an ES module with/,
      );
    });
  });

  describe("in folders that were made", () => {
    before(async () => {
      await prepare();
      await made("--service", "./counter.mjs");
    });
    after(end);

    it("that folders look for in different places is the one that is given, at every replica", async () => {
      nameService(3, join(path, "moved.mjs"));

      await refusesToRun(
        cluster("--data", "x"),
        /^quorate: the replicas in x have different services: \S+\/counter\.mjs \(replica 0, 1, 2\), \S+\/moved\.mjs \(replica 3\); .*--service$/m,
      );
      // There is no such file as replica 3 looks for.
      const command = cluster("--data", "x", "--service", "./counter.mjs");
      await command.printed(/with the service \.\/counter\.mjs are ready/);
      command.signal("SIGINT");
      expect((await command.exited).stdout).to.contain("`npm start -- --data x --service ./counter.mjs` goes on");
      nameService(3, join(path, "counter.mjs"));
    });

    it("is refused by a single replica in the same way, and upon the data of the key-value store", async () => {
      nameService(2, null);
      const start = (id: number, service: string): RunningCommand =>
        run(QUORATE_COMMAND, "start", "--data", `x/replica-${id}`, "--service", service);

      await refusesToRun(start(1, "nowhere.mjs"), /^quorate: no service at nowhere\.mjs: expected an ES module/);
      await refusesToRun(
        start(2, "./counter.mjs"),
        /^quorate: x\/replica-2 holds the state of the key-value store, .*`quorate init --service FILE`, .*`service` of its replica\.json\n$/,
      );
      nameService(2, join(path, "counter.mjs"));
      const replica = start(2, "./counter.mjs");
      await replica.message("ready");
      replica.signal("SIGTERM");
      expect((await replica.exited).code).to.equal(0);
    });

    it("is one for all folders: who differs is named, and a lost folder hides nobody", async () => {
      rmSync(join(path, "x", "replica-0"), { recursive: true });
      nameService(2, null);

      await refusesToRun(
        cluster("--data", "x"),
        /^quorate: the replicas in x have different services: \S+\/counter\.mjs \(replica 1, 3\), the key-value store \(replica 2\); correct `service`/,
      );
      await refusesToRun(
        cluster("--data", "x", "--service", "./counter.mjs"),
        /^quorate: x\/replica-2 holds the state of the key-value store, which no other service understands; correct `service` /,
      );
    });
  });
});
