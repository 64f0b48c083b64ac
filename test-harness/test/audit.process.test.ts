import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { AuditDocument } from "@quorate/server";
import { ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { expectOnce, expectSameState, expectVotesCount, Load } from "./process-load.ts";

const DEADLINE_MS = 60_000;
const WRONG = 2;
const INTERVAL = 8;

/** The key-value store, but that it spoils the first of its entries behind an operation, where `when` says so. */
function serviceThatErrs(when: string): string {
  return `
import { existsSync, unlinkSync } from "node:fs";
import { kvService } from ${JSON.stringify(import.meta.resolve("@quorate/kv"))};
const kv = kvService();
const flag = new URL("flag", import.meta.url);
export const service = {
  execute(operation, state, context) {
    const result = kv.execute(operation, state, context);
    if (${when}) for (const [key, value] of [...state.range(Uint8Array.of(0))].slice(0, 1)) {
      const other = new Uint8Array(value);
      other[other.length - 1] += 1;
      state.put(key, other);
    }
    return result;
  },
};
`;
}

/** What `quorate audit` says. */
interface Row extends Partial<NonNullable<AuditDocument["own"]>> {
  readonly replica: number;
  readonly verdict: string;
}

describe("one of four real replicas that computes something else (protocol rule 9.5)", function () {
  this.timeout(240_000);
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  /** All but replica 2 run the store as it is; that one goes wrong \`when\`. */
  async function clusterThatErrs(when: string): Promise<ProcessCluster> {
    const cluster = await ProcessCluster.make({ checkpointInterval: INTERVAL, windowSize: 4 * INTERVAL });
    const service = join(cluster.path, "errs.mjs");
    writeFileSync(service, serviceThatErrs(when));
    const { path, config } = cluster.folder(WRONG);
    writeFileSync(join(path, "replica.json"), JSON.stringify({ ...config, service }));
    await cluster.startAll(cluster.ids.filter((id) => id !== WRONG));
    const args = [QUORATE_COMMAND, "start", "--data", path, "--log-level", "info"];
    await cluster.startWith(WRONG, process.execPath, args);
    return cluster;
  }

  async function executed(cluster: ProcessCluster): Promise<number> {
    const [status] = await cluster.settled();
    return Number(status?.executed);
  }

  async function audit(
    cluster: ProcessCluster,
  ): Promise<{ readonly code: number | null; readonly rows: readonly Row[] }> {
    const at = cluster.ids.map((id) => cluster.folder(id).config.admin);
    const args = [QUORATE_COMMAND, "audit", "--data", cluster.folder(0).path, "--json", "--at", ...at];
    const { code, stdout, stderr } = await new RunningCommand(process.execPath, args).exited;
    expect(stderr).to.equal("");
    return { code, rows: JSON.parse(stdout) as Row[] };
  }

  it("finds out, stands still, says which key differs, fetches just that, and goes on; clients notice nothing", async () => {
    const cluster = await clusterThatErrs("existsSync(flag) && (unlinkSync(flag), true)");
    const { store } = await cluster.connect();
    // The next number is a checkpoint.
    for (let i = 0; (await executed(cluster)) % INTERVAL !== INTERVAL - 1; i++) await store.put(`key ${i}`, "value");
    expect(await audit(cluster)).to.include({ code: 0 });

    const flag = join(cluster.path, "flag");
    writeFileSync(flag, "");
    await store.put("another", "value");
    // Not as far as to the next one, which would be what it is repaired towards, with whatever has changed by then.
    for (let i = 0; i < INTERVAL - 3; i++)
      expect(await store.get(`key ${i}`)).to.deep.equal(new TextEncoder().encode("value"));
    expect(existsSync(flag), "it erred").to.equal(false);
    const running = cluster.process(WRONG);
    await running.printed(/entries that differed/);
    expect(running.output).to.match(/quarantined: others contradict this replica/);
    expect(running.output).to.match(/"differing":1,"keys":\["[0-9a-f]*616e6f74686572"\]/);

    // Once more, under load: of that, clients notice nothing.
    const load = new Load([await cluster.connect()], "audit", DEADLINE_MS);
    await load.goesOn(40);
    const { length: before } = running.output;
    writeFileSync(flag, "");
    await load.goesOn(40);
    await cluster.until(() => /entries that differed/.test(running.output.slice(before)), { ids: [0] });
    await expectVotesCount(cluster, load, { without: 0, operations: 20 });
    await load.end();
    await expectOnce(store, load.ledger);
    await expectSameState(cluster);
    const { code, rows } = await audit(cluster);
    expect(rows.map(({ replica, verdict }) => [replica, verdict])).to.deep.equal(
      [0, 1, 2, 3].map((id) => [id, "agrees"]),
    );
    expect(code).to.equal(0);
    expect(rows[WRONG]?.silentUpTo, "it has spoken of that").to.be.greaterThan(12);
  });

  it("is wrong again after each repair, tries less and less often, and does not end; the others go on", async () => {
    const cluster = await clusterThatErrs("true");
    const { store } = await cluster.connect();
    for (let i = 0; i < 20; i++) await store.put(`key ${i}`, "value");
    const load = new Load([await cluster.connect()], "recurs", DEADLINE_MS);
    await load.goesOn(40);
    // Before the third it waits for ten seconds: time for the audit.
    await cluster.until(([status]) => (status?.quarantine?.attempt ?? 0) >= 3, { ids: [WRONG] });

    const { code, rows } = await audit(cluster);
    expect([code, rows[WRONG]?.verdict]).to.deep.equal([7, "quarantined"]);
    expect(cluster.process(WRONG).output).to.match(/wrong again: the service may not be deterministic/);
    await load.goesOn(20);
    await load.end();
    await expectOnce(store, load.ledger);
    expect(cluster.process(WRONG).isRunning).to.equal(true);
  });
});
