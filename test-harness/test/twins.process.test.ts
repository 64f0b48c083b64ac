import { cpSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ADMIN_PORT_OFFSET } from "@quorate/server";
import {
  connectThrough,
  type Exit,
  freePortBase,
  ProcessCluster,
  ProxiedLinks,
  QUORATE_COMMAND,
  RunningCommand,
  type TestClient,
} from "@quorate/test-harness";
import { expect } from "chai";
import { KvClient } from "quorate";
import { expectOnce, expectWritten, Ledger, Load } from "./process-load.ts";

/** The member that exists twice: the first primary, which dials all others and is dialed by clients only. */
const TWINNED = 0;
const HONEST = [1, 2, 3];
const INTERVAL = 8;
const DEADLINE_MS = 2_000;
/** Long enough for all to tell each other what was proposed, before they change the view. */
const VIEW_CHANGE_MS = 3_000;

/** Operations that each half does while it has a quorum. */
const OPERATIONS = 2 * INTERVAL;

/** Who hears whom: all in one group; somebody may be in several. Nobody else does. */
type Groups = readonly (readonly string[])[];

const EVERYONE = ["0", "0'", "1", "2", "3", "client of 0", "client of 0'"];

describe("Two processes with one replica's key in different halves of a partition", function () {
  this.timeout(180_000);
  let cluster: ProcessCluster;
  let links: ProxiedLinks;
  let second: RunningCommand;
  let secondAddress: string;
  let dials: Readonly<Record<string, readonly string[]>>;
  const clients: TestClient[] = [];

  before(async () => {
    cluster = await ProcessCluster.make({
      checkpointInterval: INTERVAL,
      windowSize: 4 * INTERVAL,
      timeouts: { viewChangeMs: VIEW_CHANGE_MS, statusIntervalMs: 50 },
    });
    const port = await freePortBase(1);
    secondAddress = `127.0.0.1:${port}`;
    const others = (from: number): string[] => cluster.ids.filter((id) => id > from).map(addressOf);
    dials = {
      "0": others(0),
      "0'": others(0),
      "1": others(1),
      "2": others(2),
      "client of 0": others(-1),
      "client of 0'": [secondAddress, ...others(0)],
    };
    links = await ProxiedLinks.make(dials);
    const starts = cluster.ids.map((id) => cluster.start(id, { env: links.environmentOf(`${id}`) }));
    await Promise.all([...starts, startSecond(port)]);
  });
  after(async () => {
    for (const { client } of clients) client.close();
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
    await links.close();
  });

  const addressOf = (id: number): string => cluster.genesis.members[id]?.address ?? expect.fail();
  const nameAt = (address: string): string =>
    address === secondAddress ? "0'" : `${cluster.ids.find((id) => addressOf(id) === address)}`;

  /** Somebody has copied its folder to another machine, and starts it there too. */
  async function startSecond(port: number): Promise<void> {
    const path = join(cluster.path, "copy");
    cpSync(cluster.folder(TWINNED).path, path, { recursive: true });
    const file = join(path, "replica.json");
    const config = JSON.parse(readFileSync(file, "utf8"));
    const moved = { ...config, listen: secondAddress, admin: `127.0.0.1:${port + ADMIN_PORT_OFFSET}` };
    writeFileSync(file, JSON.stringify(moved));
    const args = [QUORATE_COMMAND, "start", "--data", path, "--log-level", "error"];
    second = new RunningCommand(process.execPath, args, { env: links.environmentOf("0'") });
    await second.message("ready");
  }

  async function connectIn(name: string): Promise<TestClient> {
    const client = await connectThrough(cluster.genesis, ({ id, address }) => {
      const there = id === TWINNED && name === "client of 0'" ? secondAddress : address;
      return links.proxy(name, there).address;
    });
    const connected = { client, store: new KvClient(client) };
    clients.push(connected);
    return connected;
  }

  function partition(groups: Groups): void {
    for (const [dialer, addresses] of Object.entries(dials))
      for (const address of addresses) {
        const isTogether = groups.some((group) => group.includes(dialer) && group.includes(nameAt(address)));
        const proxy = links.proxy(dialer, address);
        if (isTogether) {
          proxy.unblock();
          continue;
        }
        proxy.block();
        proxy.reset();
      }
  }

  /** Waits until replicas have links with just these others. */
  async function linked(expected: Readonly<Record<number, readonly number[]>>): Promise<void> {
    const ids = Object.keys(expected).map(Number);
    await cluster.until(
      (statuses) =>
        statuses.every(({ replica, peers }) => {
          const up = peers.filter(({ isConnected }) => isConnected).map((peer) => Number(peer.replica));
          return up.join() === (expected[replica ?? -1] ?? []).join();
        }),
      { ids },
    );
  }

  it("never make others diverge, and leave evidence that names them alone", async () => {
    partition([["0", "1", "client of 0"], ["0'", "2", "client of 0'"], ["3"]]);
    await linked({ 1: [0], 2: [0], 3: [] });
    const loads = [
      new Load([await connectIn("client of 0")], "first", DEADLINE_MS),
      new Load([await connectIn("client of 0'")], "second", DEADLINE_MS),
    ] as const;
    // Each half's client registers, each of the two proposes its own for number 1, and each half's backup votes for it.
    await cluster.until((statuses) => statuses.every(({ pendingRequests }) => pendingRequests > 0), { ids: [1, 2] });
    partition([
      ["1", "2", "3"],
      ["0", "1", "client of 0"],
      ["0'", "2", "client of 0'"],
    ]);
    await cluster.until((statuses) => statuses.some(({ evidence }) => evidence > 0), { ids: HONEST });

    // Now one half has a quorum, and then the other one; without the member that exists twice neither has.
    partition([
      ["0'", "2", "3", "client of 0'"],
      ["0", "1", "client of 0"],
    ]);
    await loads[1].goesOn(OPERATIONS);
    partition([
      ["0", "1", "3", "client of 0"],
      ["0'", "2", "client of 0'"],
    ]);
    // What 3 knows bears COMMITs of its own key that it never sent: it stops rather than to contradict them.
    const { code } = await cluster.process(TWINNED).exited;
    expect(code).to.not.equal(0);
    expect(cluster.process(TWINNED).output).to.contain("replica.own-commit-forgotten");
    partition([EVERYONE]);
    await Promise.all(loads.map((load) => load.goesOn(OPERATIONS)));
    await Promise.all(loads.map((load) => load.end()));

    const statuses = await cluster.settled(HONEST);
    expect(new Set(await cluster.stateRoots(HONEST)).size, "state roots").to.equal(1);
    expect(new Set(statuses.map(({ historyDigest }) => historyDigest)).size, "history digests").to.equal(1);
    const { store } = await connectIn("client of 0");
    await expectOnceOfAll(store, loads);
    for (const load of loads) await expectWritten(store, load.ledger);
    await expectEvidence();
  });

  /** The two loads share the counters. */
  async function expectOnceOfAll(store: KvClient, loads: readonly Load[]): Promise<void> {
    const both = new Ledger();
    for (const { ledger } of loads) {
      for (const [counter, sums] of ledger.sums) both.sums.set(counter, [...(both.sums.get(counter) ?? []), ...sums]);
      for (const [counter, count] of ledger.unknown)
        both.unknown.set(counter, (both.unknown.get(counter) ?? 0) + count);
    }
    await expectOnce(store, both);
  }

  async function expectEvidence(): Promise<void> {
    let pieces = 0;
    for (const id of HONEST) {
      const data = cluster.folder(id).path;
      const { code, stdout } = await quorate("list", "--data", data, "--json");
      expect(code).to.equal(0);
      for (const { id: piece, accused } of JSON.parse(stdout) as { id: string; accused: number }[]) {
        expect(accused, `evidence at ${id}`).to.equal(TWINNED);
        const out = join(cluster.path, `${id}-${piece}.json`);
        expect((await quorate("export", piece, "--data", data, "--out", out)).code).to.equal(0);
        const verified = await quorate("verify", out, "--genesis", cluster.genesisPath);
        expect(verified.stdout).to.match(/^proven: replica 0 signed two different /);
        pieces += 1;
      }
    }
    expect(pieces).to.be.greaterThan(0);
  }
});

const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(["evidence", ...args]);
