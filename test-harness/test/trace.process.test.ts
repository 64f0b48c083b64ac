import { spawnSync } from "node:child_process";
import { readdirSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { ProcessCluster } from "@quorate/test-harness";
import { expect } from "chai";

const SIMULATE = resolve(fileURLToPath(import.meta.url), "../../bin/simulate.js");

/** A key-value store that is not deterministic: it leaves a mark of its own in the state. */
const BROKEN_SERVICE = `
import { kvService } from ${JSON.stringify(import.meta.resolve("@quorate/kv"))};
const kv = kvService();
export const service = {
  execute(operation, state, context) {
    state.put(Uint8Array.of(1), Uint8Array.of(1));
    return kv.execute(operation, state, context);
  },
};
`;

describe("a replica that breaks an invariant", function () {
  this.timeout(120_000);
  afterEach(() => ProcessCluster.closeAll());

  it("saves its trace for its owner, says how to step through it, ends, and breaks in the same way there", async () => {
    const cluster = await ProcessCluster.make({ checkpointInterval: 8, windowSize: 32 });
    const service = join(cluster.path, "broken.mjs");
    writeFileSync(service, BROKEN_SERVICE);
    const { path: data, config } = cluster.folder(3);
    writeFileSync(join(data, "replica.json"), JSON.stringify({ ...config, service }));
    await cluster.startAll();
    const { store } = await cluster.connect();

    for (let i = 0; i < 16; i++) await store.put(`key ${i}`, "value");
    const { code, stderr } = await cluster.process(3).exited;

    expect(code, stderr).to.equal(1);
    const [, file = ""] = /npm run simulate -- --replay (\S+trace-[\dTZ-]+\.cbor)/.exec(stderr) ?? [];
    expect(readdirSync(data).map((name) => join(data, name))).to.include(file);
    expect(statSync(file).mode & 0o777).to.equal(0o600);
    const replayed = spawnSync(process.execPath, [SIMULATE, "--replay", file], { encoding: "utf8" });
    expect(replayed.status, replayed.stdout + replayed.stderr).to.equal(0);
    expect(replayed.stdout).to.match(/^replica 3 \(@quorate\/server 0\.\d+\.\d+, Node v\d+\.\d+\.\d+, 2\d{3}-/);
    expect(replayed.stdout).to.match(/^1 \+0 ms {2}start → broadcast status/m);
    const [, broken = ""] = /replica 3 stops: (invariant checkpoint\.own-state-diverged .*)$/m.exec(stderr) ?? [];
    expect(broken, stderr).to.not.equal("");
    expect(replayed.stdout.endsWith(`→ !\n\nfailed in the same way: ${broken}\n`), replayed.stdout).to.equal(true);
  });
});
