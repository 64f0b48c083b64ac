import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("the example of a counter", function () {
  this.timeout(120_000);
  let path: string;
  before(() => {
    path = mkdtempSync(join(tmpdir(), "quorate-counter-"));
  });
  after(async () => {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  });

  const node = (...args: string[]): RunningCommand => new RunningCommand(process.execPath, args, { cwd: ROOT });
  const count = (...args: string[]): Promise<Exit> =>
    node("examples/counter/count.js", ...args, "--genesis", join(path, "x", "genesis.json")).exited;

  it("counts, refuses what is no number, and counts on when a replica is gone", async () => {
    const base = `${await freePortBase(4)}`;
    const service = ["--service", "examples/counter/counter.js"];
    const cluster = node(
      QUORATE_COMMAND,
      "cluster",
      "--data",
      join(path, "x"),
      "--port-base",
      base,
      ...service,
      "--json",
    );
    await cluster.printed(/\n/);

    expect(await count("visits", "5")).to.include({ code: 0, stdout: "5\n{ visits: 5 }\n", stderr: "" });
    const refused = await count("visits", "0.5");
    expect(refused).to.include({
      code: 1,
      stdout: "",
      stderr: "OperationFailedError: argument 2 of increment is 0.5, expected a whole number\n",
    });
    const tooMuch = await count("visits", `${Number.MAX_SAFE_INTEGER}`);
    expect(tooMuch.stderr).to.match(/^OperationFailedError: visits would become \d+, which is no longer exact\n$/);
    const none = await count("visits", "many");
    expect(none.stderr).to.equal("ServiceValueError: the value[2] is NaN, expected a finite number\n");

    const status = await RunningCommand.quorate(["status", "--json", "--data", join(path, "x")]);
    const [{ pid }] = JSON.parse(status.stdout) as [{ readonly pid: number }];
    process.kill(pid, "SIGKILL");
    expect(await count("visits", "37")).to.deep.include({ code: 0, stdout: "42\n{ visits: 42 }\n", stderr: "" });
    expect(await count("other")).to.include({ code: 0, stdout: "1\n{ other: 1, visits: 42 }\n" });
  });
});
