import { spawnSync } from "node:child_process";
import { cpSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ProcessCluster } from "@quorate/test-harness";
import { expect } from "chai";

const SIMULATE = resolve(fileURLToPath(import.meta.url), "../../bin/simulate.js");

describe("a replica that breaks an invariant", function () {
  this.timeout(120_000);
  afterEach(() => ProcessCluster.closeAll());

  it("saves its trace for its owner, says how to step through it, ends, and breaks in the same way there", async () => {
    // Its data folder is rolled back: decisions come that bear COMMITs which it knows nothing of.
    const cluster = await ProcessCluster.start({ checkpointInterval: 8, windowSize: 32 });
    const { path: data } = cluster.folder(3);
    const { store } = await cluster.connect();
    await store.put("before", "value");
    await cluster.settled();
    await cluster.kill([3]);
    cpSync(data, `${data}-before`, { recursive: true });
    await cluster.start(3);
    // All four are in these certificates, by turns: without one of the others it is in each.
    await cluster.kill([2]);
    for (let i = 0; i < 5; i++) await store.put(`key ${i}`, "value");
    await cluster.kill([3]);
    rmSync(data, { recursive: true });
    renameSync(`${data}-before`, data);
    await Promise.all([cluster.start(2), cluster.start(3)]);
    const { code, stderr } = await cluster.process(3).exited;

    expect(code, stderr).to.equal(1);
    const [, file = ""] = /npm run simulate -- --replay (\S+trace-[\dTZ-]+\.cbor)/.exec(stderr) ?? [];
    expect(readdirSync(data).map((name) => join(data, name))).to.include(file);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const replayed = spawnSync(process.execPath, [SIMULATE, "--replay", file], { encoding: "utf8" });
    expect(replayed.status, replayed.stdout + replayed.stderr).to.equal(0);
    expect(replayed.stdout).to.match(/^replica 3 \(@quorate\/server 0\.\d+\.\d+, Node v\d+\.\d+\.\d+, 2\d{3}-/);
    expect(replayed.stdout).to.match(/^1 \+0 ms {2}start → broadcast status/m);
    const [, broken = ""] = /replica 3 stops: (invariant replica\.own-commit-forgotten .*)$/m.exec(stderr) ?? [];
    expect(broken, stderr).to.not.equal("");
    expect(replayed.stdout.endsWith(`→ !\n\nfailed in the same way: ${broken}\n`), replayed.stdout).to.equal(true);
  });
});
