import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { loseDisk } from "./lose-disk.ts";
import { expectOnce, expectSameState, expectVotesCount, expectWritten, Load } from "./process-load.ts";

const DEADLINE_MS = 60_000;
/** The least that a replica can be told to keep. */
const HISTORY_BYTES = 1024 * 1024;
const VALUE_BYTES = 48 * 1024;
/** Three times what a history holds. */
const VALUES = 64;

describe("a replica of four real processes that needs the state of the others", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await ProcessCluster.make({ checkpointInterval: 8, windowSize: 16 });
    for (const id of cluster.ids) {
      const path = configOf(id);
      const config = JSON.parse(readFileSync(path, "utf8")) as object;
      writeFileSync(path, JSON.stringify({ ...config, historyBytesMax: HISTORY_BYTES }));
    }
    await cluster.startAll();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("finds a bit that flipped in its data file when it reads it, and replaces it, and no client sees it", async () => {
    const { store } = await cluster.connect();
    const value = Buffer.from("a value that can be found in the file, 0123456789".repeat(20));
    await store.put("looked at", value);
    for (let i = 0; i < 40; i++) await store.put(`other ${i}`, Buffer.from(`${i}`));
    await cluster.settled();
    await cluster.kill([1]);
    flipIn(join(cluster.folder(1).path, "store", "data.mdb"), value);
    await cluster.start(1);

    expect(Buffer.from((await store.get("looked at")) ?? []).equals(value)).to.equal(true);
    await caughtUp(1);

    // It executes the read after the others, who have answered it.
    for (const name of ["quorate_state_damages_total", "quorate_state_transfers_total"])
      while ((await metric(1, name)) < 1) await store.put("some more", value);
    await cluster.kill([0]);
    expect(Buffer.from((await store.get("looked at")) ?? []).equals(value)).to.equal(true);
    await cluster.start(0);
    await expectSameState(cluster);
  });

  it("finds a bit that flipped where nobody looks within one round of its scrubber, while it runs, and replaces it", async () => {
    const { store } = await cluster.connect();
    const value = Buffer.from("a value that nobody asks for any more, 0123456789".repeat(20));
    await store.put("not looked at", value);
    for (let i = 0; i < 40; i++) await store.put(`other ${i}`, Buffer.from(`${i}`));
    await cluster.settled();
    await cluster.kill([1]);
    await cluster.start(1);
    const before = await metric(1, "quorate_scrub_rounds_total");
    flipIn(join(cluster.folder(1).path, "store", "data.mdb"), value);

    await cluster.until(([status]) => (status?.scrub.findings ?? 0) > 0, { ids: [1] });

    expect(await metric(1, "quorate_scrub_rounds_total")).to.be.at.most(before + 1);
    await cluster.until(([status]) => status?.transfer === undefined && (status?.scrub.round ?? 0) > before + 2, {
      ids: [1],
    });
    expect(await metric(1, "quorate_state_damages_total")).to.equal(1);
    expect(await metric(1, "quorate_state_transfers_total")).to.equal(1);
    expect(await metric(1, "quorate_scrub_findings_total")).to.equal(1);
    await cluster.kill([0]);
    expect(Buffer.from((await store.get("not looked at")) ?? []).equals(value)).to.equal(true);
    await cluster.start(0);
    await expectSameState(cluster);
  });

  it("has it brought to it when it was away for longer than the history reaches, and votes again", async () => {
    const { store } = await cluster.connect();
    await store.put("before", valueFor(0));
    await cluster.settled();
    await cluster.kill([3]);
    for (let i = 0; i < VALUES; i++) await store.put(`key ${i}`, valueFor(i));
    const load = new Load([await cluster.connect()], "transfer", DEADLINE_MS);
    await load.goesOn(20);

    await cluster.start(3);
    await caughtUp(3);

    expect(await metric(3, "quorate_state_transfers_total")).to.be.greaterThan(0);
    const bytes = await metric(3, "quorate_state_transfer_bytes_total");
    expect(bytes).to.be.greaterThan(VALUES * VALUE_BYTES);
    expect(await metric(3, "quorate_state_transfer_wire_bytes_total"), "compressed").to.be.within(1, bytes / 2);
    await expectVotesCount(cluster, load, { without: 0, operations: 20 });
  });

  it("has all of it brought to an empty disk, though it is killed on the way", async () => {
    const load = new Load([await cluster.connect()], "wiped", DEADLINE_MS, "wiped");
    await load.goesOn(20);
    const config = readFileSync(configOf(2));
    await loseDisk(cluster, 2);
    writeFileSync(configOf(2), config);
    await cluster.start(2);
    await cluster.until(([status]) => status?.transfer !== undefined || (status?.executed ?? 0) > 0, { ids: [2] });
    await cluster.kill([2]);

    await cluster.start(2);
    await caughtUp(2);

    await load.end();
    const { store: other } = await cluster.connect();
    await expectOnce(other, load.ledger);
    await expectWritten(other, load.ledger);
    await expectSameState(cluster);
  });

  function configOf(id: number): string {
    return join(cluster.folder(id).path, "replica.json");
  }

  function valueFor(i: number): Uint8Array {
    return new Uint8Array(VALUE_BYTES).fill(i);
  }

  /** It executes what the others do. */
  async function caughtUp(id: number): Promise<void> {
    await cluster.until(
      (statuses) => {
        const most = Math.max(...statuses.map(({ executed }) => executed));
        const status = statuses[id];
        return status?.transfer === undefined && (status?.executed ?? 0) >= most - 16;
      },
      { deadlineMs: 120_000 },
    );
  }

  async function metric(id: number, name: string): Promise<number> {
    const response = await fetch(`http://${cluster.folder(id).config.admin}/metrics`);
    const line = (await response.text()).split("\n").find((text) => text.startsWith(`${name} `));
    if (line === undefined) throw new Error(`replica ${id} has no metric ${name}`);
    return Number(line.slice(name.length));
  }
});

/** Changes one bit in the middle of each place of a file that holds these bytes, in place: a process may have it mapped. */
function flipIn(file: string, bytes: Buffer): void {
  const content = readFileSync(file);
  const descriptor = openSync(file, "r+");
  let places = 0;
  for (let at = content.indexOf(bytes); at >= 0; at = content.indexOf(bytes, at + 1)) {
    const middle = at + (bytes.length >> 1);
    writeSync(descriptor, Uint8Array.of((content[middle] ?? 0) ^ 0x04), 0, 1, middle);
    places++;
  }
  closeSync(descriptor);
  expect(places, "places in the file").to.be.greaterThan(0);
}
