import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { Verifier } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { encodeKvOperation } from "@quorate/kv";
import { utf8 } from "@quorate/protocol";
import { receiptProofFault } from "@quorate/reconfiguration";
import { ADMIN_PORT_OFFSET, type AuditDocument, type ProcessStatus } from "@quorate/server";
import { freePortBase, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { expectOnce, expectWritten, Load } from "./process-load.ts";

const FULL = process.env.QUORATE_FULL === "1";
const DEADLINE_MS = 120_000;
const CLIENTS = FULL ? 4 : 2;
const K = 32;
const L = 128;
/** The median of what clients wait at most around an activation; a machine that runs the other tests, too, is busy. */
const PAUSE_MS_MAX = FULL ? 300 : 3_000;
/** Whoever is polled may be about to change. */
const POLL_MS = 25;

/** A replica that `quorate join` runs. */
interface Joiner {
  readonly process: RunningCommand;
  readonly address: string;
  readonly admin: string;
}

/** What a change prints of the members that it has made. */
interface ChangedMembers {
  readonly epoch: number;
  readonly f: number;
  readonly q: number;
  readonly members: readonly unknown[];
}

describe("members that come and go under load, as real processes", function () {
  this.timeout(900_000);
  let cluster: ProcessCluster;
  let folder: string;
  beforeEach(async () => {
    // A busy machine must not look like a primary that failed.
    cluster = await ProcessCluster.start({ checkpointInterval: K, windowSize: L, timeouts: { viewChangeMs: 10_000 } });
    folder = mkdtempSync(join(tmpdir(), "quorate-members-"));
  });
  afterEach(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    rmSync(folder, { recursive: true, force: true });
  });

  it("4 → 5 → 6 → 7 → 4, the primary included: no request fails, none is executed twice, and the pauses are short", async () => {
    const load = await startLoad();
    const joiners = await startJoiners(3);
    const pauses: number[] = [];
    const sizes: string[] = [];
    const change = async (...args: readonly string[]): Promise<void> => {
      await load.goesOn(20);
      const { stdout, stderr, code } = await members(...args, "--data", cluster.path, "--json");
      expect(code, stderr).to.equal(0);
      await load.goesOn(20);
      const { epoch, f, q, members: now } = JSON.parse(stdout) as ChangedMembers;
      pauses.push(load.pauseAtBeginOf(epoch));
      sizes.push(`n ${now.length}, f ${f}, q ${q}`);
    };

    for (const { address } of joiners) await change("add", "--from", address);
    await change("remove", "0", "--lower-fault-threshold");
    await change("remove", "1");
    await change("remove", "2");
    await load.goesOn(20);
    await load.end();

    expect(sizes).to.deep.equal([
      "n 5, f 1, q 4",
      "n 6, f 1, q 4",
      "n 7, f 2, q 5",
      "n 6, f 1, q 4",
      "n 5, f 1, q 4",
      "n 4, f 1, q 3",
    ]);
    expect(load.ledger.failed, "failed").to.equal(0);
    pauses.sort((a, b) => a - b);
    const median = pauses[Math.floor(pauses.length / 2)] ?? Number.POSITIVE_INFINITY;
    process.stdout.write(`      longest waits at activations, ms: ${pauses.map((ms) => ms.toFixed(0)).join(", ")}\n`);
    expect(median, `ms of the pauses ${pauses}`).to.be.lessThan(PAUSE_MS_MAX);
    // Those who have left are needed no more.
    await cluster.kill([0, 1, 2]);
    const { store } = await cluster.connect({ addresses: joiners.map(({ address }) => address) });
    await expectOnce(store, load.ledger);
    await expectWritten(store, load.ledger);
    await expectSame([cluster.folder(3).config.admin, ...joiners.map(({ admin }) => admin)]);
  });

  it("a machine that is lost is replaced by a standby in one command, and no request fails", async () => {
    const load = await startLoad();
    const [standby] = (await startJoiners(1)) as [Joiner];
    await load.goesOn(20);
    await cluster.kill([1]);
    rmSync(cluster.folder(1).path, { recursive: true, force: true });

    const reach = ["--genesis", cluster.genesisPath, "--key", join(cluster.path, "admin.key.json")];
    const { stdout, stderr, code } = await members("replace", "1", "--from", standby.address, ...reach);

    expect(code, stderr).to.equal(0);
    expect(stdout).to.match(/^epoch 2: replica 4 has taken the place of replica 1; 4 members \(0, 2, 3, 4\)/);
    await load.goesOn(20);
    // Three of four are a quorum only with the one that came.
    await cluster.kill([0]);
    await load.goesOn(20);
    await load.end();
    expect(load.ledger.failed, "failed").to.equal(0);
    const { store } = await cluster.connect();
    await expectOnce(store, load.ledger);
    await expectWritten(store, load.ledger);
    await expectSame([cluster.folder(2).config.admin, cluster.folder(3).config.admin, standby.admin]);
  });

  it("the keys of all replicas are rotated in turn, no request fails, and old receipts still prove what they proved", async () => {
    const load = await startLoad();
    const { client } = await cluster.connect();
    const old = await client.execute(
      encodeKvOperation({ type: "put", key: utf8("under the old keys"), value: utf8("told") }),
    );

    for (const id of cluster.ids) {
      await load.goesOn(10);
      const { stderr, code } = await members("rotate-key", `${id}`, "--data", cluster.path);
      expect(code, stderr).to.equal(0);
    }
    await load.goesOn(20);
    await load.end();

    expect(load.ledger.failed, "failed").to.equal(0);
    const later = await client.execute(encodeKvOperation({ type: "get", key: utf8("under the old keys") }));
    const [backend, hasher] = [await chooseBackend(), createNodeHasher()];
    const { cluster: id } = cluster.folder(0);
    const verifier = new Verifier({ backend, hasher, cluster: id });
    const epochs: number[] = [];
    for (const { receipt } of [old, later]) {
      if (receipt === undefined) throw new Error("there is no receipt");
      epochs.push(receipt.statement.epoch);
      const proof = client.proofOf(receipt);
      expect(receiptProofFault(proof, cluster.genesis, { cluster: id, hasher, verifier })).to.equal(undefined);
      const forged = { ...proof, receipt: { ...receipt, number: (receipt.number + 1) as typeof receipt.number } };
      expect(receiptProofFault(forged, cluster.genesis, { cluster: id, hasher, verifier })).to.not.equal(undefined);
    }
    expect(epochs).to.deep.equal([0, 4]);
    const { store } = await cluster.connect();
    await expectOnce(store, load.ledger);
    const statuses = await cluster.settled();
    expect(statuses.map(({ epoch }) => epoch)).to.deep.equal([4, 4, 4, 4]);
    expect(statuses.map(({ evidence }) => evidence)).to.deep.equal([0, 0, 0, 0]);
  });

  async function startLoad(): Promise<Load> {
    const clients = await Promise.all(Array.from({ length: CLIENTS }, () => cluster.connect()));
    const load = new Load(clients, "load", DEADLINE_MS);
    await load.goesOn(10);
    return load;
  }

  async function startJoiners(count: number): Promise<Joiner[]> {
    const base = await freePortBase(count);
    const peers = cluster.genesis.members.flatMap((member) => ["--peer", member.address]);
    const joiners = Array.from({ length: count }, (_, i): Joiner => {
      const address = `127.0.0.1:${base + i}`;
      const data = ["--data", join(folder, `joiner-${i}`)];
      const args = ["join", "--genesis", cluster.genesisPath, ...peers, "--listen", address, ...data];
      const running = new RunningCommand(process.execPath, [QUORATE_COMMAND, ...args]);
      return { process: running, address, admin: `127.0.0.1:${base + i + ADMIN_PORT_OFFSET}` };
    });
    await Promise.all(joiners.map((joiner) => joiner.process.printed(/quorate members add --from/)));
    return joiners;
  }
});

function members(...args: readonly string[]): ReturnType<typeof RunningCommand.quorate> {
  return RunningCommand.quorate(["members", ...args]);
}

/** Those who answer there come to stand at one number, with one state. */
async function expectSame(admins: readonly string[]): Promise<void> {
  const deadline = performance.now() + 60_000;
  for (;;) {
    const statuses = await Promise.all(admins.map((admin) => ask<ProcessStatus>(admin, "status")));
    const [first] = statuses;
    if (statuses.every(({ executed, pendingRequests }) => executed === first?.executed && pendingRequests === 0)) break;
    if (performance.now() > deadline) throw new Error(`they stand at ${statuses.map(({ executed }) => executed)}`);
    await delay(POLL_MS);
  }
  const audits = await Promise.all(admins.map((admin) => ask<AuditDocument>(admin, "audit")));
  expect(new Set(audits.map(({ own }) => own?.stateRoot)).size, "state roots").to.equal(1);
}

async function ask<T>(admin: string, document: string): Promise<T> {
  const response = await fetch(`http://${admin}/${document}`);
  return (await response.json()) as T;
}
