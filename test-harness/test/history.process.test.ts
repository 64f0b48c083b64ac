import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  formatHistoryLine,
  HistoryRecorder,
  type KvRequest,
  ProcessCluster,
  parseHistory,
  RunningCommand,
  type TestClient,
} from "@quorate/test-harness";
import { expect } from "chai";
import { seededRandom } from "./process-load.ts";

const COMMAND = resolve(fileURLToPath(import.meta.url), "../../bin/check-history.js");

function check(file: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [COMMAND, file, ...args], { encoding: "utf8" });
}

describe("a recorded history", function () {
  this.timeout(120_000);
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-history-"));
  });
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it("of clients on a few keys, while a backup is killed and comes back, is linearizable, and not when one read is stale", async () => {
    const file = join(folder, "history.jsonl");
    const cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: 64 });
    const clients = await Promise.all(Array.from({ length: 4 }, () => cluster.connect()));
    const lines: string[] = [];
    let wake = (): void => undefined;
    const recorder = new HistoryRecorder((line) => {
      lines.push(line);
      wake();
    });
    const reached = async (count: number): Promise<void> => {
      while (lines.length < count)
        await new Promise<void>((done) => {
          wake = done;
        });
    };

    const load = Promise.all(clients.map((client, index) => run(recorder, client, index, 100)));
    await reached(100);
    await cluster.kill([2]);
    await reached(200);
    await cluster.start(2);
    await load;
    recorder.close();
    writeFileSync(file, lines.join(""));

    const good = check(file);
    expect(good.status, good.stdout + good.stderr).to.equal(0);
    expect(good.stdout).to.match(/^linearizable: 400 operations, 3 keys, \d+ configurations$/m);
    const last = Math.max(...parseHistory(lines.join("")).map(({ returnNs, callNs }) => returnNs ?? callNs));
    const stale = { client: 9, key: "k0", request: { op: "get" }, answer: { type: "value", value: "stale" } } as const;
    writeFileSync(file, lines.join("") + formatHistoryLine({ ...stale, callNs: last + 1, returnNs: last + 2 }));
    const bad = check(file);
    expect(bad.status, bad.stdout + bad.stderr).to.equal(1);
    expect(bad.stdout).to.match(/^key "k0": violation; an order explains \d+ of \d+ operations$/m);
    expect(bad.stdout).to.contain('client 9 get {"key":"k0"} → {"value":"stale"}');
  });

  it("that cannot be judged within the bound is no pass, and a file that is none is refused with its line", () => {
    const file = join(folder, "history.jsonl");
    const writes = Array.from({ length: 9 }, (_, i) => ({
      op: "put",
      value: `${i}`,
      out: false,
      call_ns: i,
      return_ns: 99,
    }));
    const read = { op: "get", out: "nobody's", call_ns: 100, return_ns: 101 };
    writeFileSync(file, [...writes, read].map((line) => JSON.stringify({ client: 0, key: "x", ...line })).join("\n"));

    const undecided = check(file, "--configurations-max", "1");
    writeFileSync(file, `\n{"client":0,"op":"put","key":"x","value":7,"call_ns":1,"return_ns":null}\n`);
    const refused = check(file);

    expect(undecided.status, undecided.stdout + undecided.stderr).to.equal(3);
    expect(undecided.stdout).to.match(/^undecided: 10 operations/m);
    expect(refused.status).to.equal(2);
    expect(refused.stderr).to.equal(`check-history: ${file}: line 2: value is 7, expected text\n`);
  });
});

async function run(recorder: HistoryRecorder, { store }: TestClient, client: number, count: number): Promise<void> {
  const random = seededRandom(client);
  for (let i = 0; i < count; i++) {
    const key = `k${Math.floor(random() * 3)}`;
    const value = `${client}/${i}`;
    const requests: readonly KvRequest[] = [
      { op: "get" },
      { op: "get" },
      { op: "put", value },
      { op: "del" },
      { op: "cas", expect: null, value: "5" },
      { op: "incr", value: 1n },
    ];
    await recorder.call(client, store, key, requests[Math.floor(random() * requests.length)]!);
  }
}
