import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const DOCUMENT = readFileSync(join(ROOT, "docs", "first-service.md"), "utf8");

/** The files that the document has its reader write, by name. */
const FILES = [...DOCUMENT.matchAll(/`(\w+\.mjs)`:\n\n```js\n([\s\S]*?)^```$/gm)];
/** What it has them type, each with what it says will be printed; by block. */
const BLOCKS = [...DOCUMENT.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block = ""]) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((call) => {
      const [command = "", ...printed] = call.split("\n");
      return { words: command.split(" "), printed: printed.join("\n") };
    }),
);

describe("the document about a first service", function () {
  this.timeout(120_000);
  let path: string;
  before(() => {
    path = mkdtempSync(join(tmpdir(), "quorate-first-service-"));
    symlinkSync(join(ROOT, "node_modules"), join(path, "node_modules"), "dir");
    for (const [, name = "", code = ""] of FILES) writeFileSync(join(path, name), code);
  });
  after(async () => {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  });

  /** `npx quorate …` or `node …`, as its reader types it. */
  function run(words: readonly string[]): RunningCommand {
    const [, ...args] = words;
    const isQuorate = words[0] === "npx";
    return new RunningCommand(process.execPath, isQuorate ? [QUORATE_COMMAND, ...args.slice(1)] : args, { cwd: path });
  }

  it("has its reader do what works, and says what comes of it", async () => {
    expect(FILES.map(([, name]) => name)).to.deep.equal(["seats.mjs", "call.mjs"]);
    const [start = [], calls = [], later = []] = BLOCKS;
    expect([BLOCKS.length, start.length, calls.length > 2, later.length > 2]).to.deep.equal([3, 1, true, true]);

    const base = `${await freePortBase(4)}`;
    const cluster = run(start.flatMap(({ words }) => words.map((word) => (word === "7300" ? base : word))));
    await cluster.printed(/4 replicas with the service \.\/seats\.mjs are ready/);
    for (const { words, printed } of calls) expect((await run(words).exited).stdout, words.join(" ")).to.equal(printed);

    const status = await run(["npx", "quorate", "status", "--data", "seats-data", "--json"]).exited;
    const replicas = JSON.parse(status.stdout) as { readonly pid: number; readonly role: string }[];
    const primary = replicas.find(({ role }) => role === "primary");
    process.kill(primary?.pid ?? 0, "SIGKILL");
    await cluster.printed(/replica \d ended/);
    for (const { words, printed } of later) expect((await run(words).exited).stdout, words.join(" ")).to.equal(printed);
  });
});
