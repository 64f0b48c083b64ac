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
  beforeEach(async () => {
    path = mkdtempSync(join(tmpdir(), "quorate-service-"));
    symlinkSync(join(ROOT, "node_modules"), join(path, "node_modules"), "dir");
    for (const [, name = "", code = ""] of FILES) writeFileSync(join(path, name), code);
    base = `${await freePortBase(4)}`;
  });
  afterEach(async () => {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  });

  const run = (...args: string[]): RunningCommand => new RunningCommand(process.execPath, args, { cwd: path });
  const cluster = (...args: string[]): RunningCommand => run(QUORATE_COMMAND, "cluster", ...args);

  /** One line of complaint, and no cluster made for it. */
  async function refuses(command: RunningCommand, complaint: RegExp): Promise<void> {
    const { code, stdout, stderr }: Exit = await command.exited;
    expect(stderr).to.match(complaint);
    expect(stderr.trimEnd().split("\n"), stderr).to.have.length(1);
    expect([code, stdout]).to.deep.equal([1, ""]);
    expect(() => readFileSync(join(path, "x", "genesis.json"))).to.throw(/ENOENT/);
  }

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
    expect(other.stderr).to.match(/^quorate: x holds a cluster with the key-value service, .*\n$/);
  });

  it("is refused in one line before a cluster is made for it", async () => {
    writeFileSync(join(path, "wrong.mjs"), "export const service = { exec() {} };");

    await refuses(
      cluster("--data", "x", "--port-base", base, "--service", "./wrong.mjs"),
      /^quorate: \.\/wrong\.mjs exports no service: expected an ES module with/,
    );
  });

  it("is refused by a single replica in the same way", async () => {
    const made = cluster("--data", "made", "--port-base", base, "--json");
    await made.printed(/\n/);
    made.signal("SIGTERM");
    await made.exited;

    await refuses(
      run(QUORATE_COMMAND, "start", "--data", "made/replica-1", "--service", "nowhere.mjs"),
      /^quorate: no service at nowhere\.mjs: expected an ES module/,
    );
  });
});
