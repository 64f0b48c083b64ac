import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { generateSeed } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import { hexToBytes, type PublicKey, publicKey } from "@quorate/protocol";
import { keyFileOf, parseKeyFile } from "@quorate/server";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { orderCheckpoint, type ProcessStatus, QuorateError } from "quorate";
import { expectSameState } from "./process-load.ts";

const K = 64;

interface Printed {
  readonly seq: number;
  readonly isByThisOrder: boolean;
  readonly stableOn: readonly number[] | null;
}

describe("a checkpoint that is ordered of four real processes", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await start();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("is made at one number by all, on an admin's word, and is stable when the command ends", async () => {
    await goOnUntilOneMayBeOrdered(cluster);

    const { stdout, stderr, code } = await checkpoint("--data", cluster.path, "--json");

    expect([code, stderr]).to.deep.equal([0, ""]);
    const { seq, isByThisOrder, stableOn } = JSON.parse(stdout) as Printed;
    expect(seq % K, `${seq}`).to.not.equal(0);
    expect(isByThisOrder).to.equal(true);
    expect(stableOn).to.have.length.of.at.least(3);
    await cluster.until((statuses) => statuses.every(({ lowWatermark }) => lowWatermark === seq));
    await expectSameState(cluster);
  });

  it("is made on a member's word, from its data folder, and not again within a quarter of K", async () => {
    await goOnUntilOneMayBeOrdered(cluster);

    const first = await checkpoint("--data", cluster.folder(2).path);
    const tooSoon = await checkpoint("--data", cluster.path);

    expect([first.code, first.stderr]).to.deep.equal([0, ""]);
    expect(first.stdout).to.match(/^checkpoint at \d+, stable at replica 2\n$/);
    expect([tooSoon.code, tooSoon.stdout]).to.deep.equal([5, ""]);
    const [, seq] = /checkpoint at (\d+)/.exec(first.stdout) ?? [];
    const next = Number(seq) + K / 4;
    expect(tooSoon.stderr).to.contain(`the last checkpoint is at ${seq}, the next one may be ordered from ${next} on`);
  });

  it("is where a replica stands that was killed right after it", async () => {
    await goOnUntilOneMayBeOrdered(cluster);
    const { stdout } = await checkpoint("--data", cluster.path, "--json");
    const { seq } = JSON.parse(stdout) as Printed;

    await cluster.kill();
    await cluster.startAll();

    const statuses = await cluster.settled();
    expect(statuses.map(({ lowWatermark }) => lowWatermark)).to.deep.equal([seq, seq, seq, seq]);
    const { store } = await cluster.connect();
    await store.put("key", "after");
    await expectSameState(cluster);
  });

  it("is made where clients are listed, and refused to whoever may be a client only", async () => {
    const backend = await chooseBackend();
    const client = keyFileOf(backend, generateSeed(randomBytes(32)));
    const listed = await start([publicKey(client.publicKey)]);
    const clientKey = join(listed.path, "client.key.json");
    writeFileSync(clientKey, JSON.stringify(client));
    await goOnUntilOneMayBeOrdered(listed, hexToBytes(client.seed));

    const refused = await checkpoint("--data", listed.path, "--key", clientKey);
    const made = await checkpoint(
      "--genesis",
      listed.genesisPath,
      "--key",
      join(listed.path, "admin.key.json"),
      "--json",
    );

    expect([refused.code, refused.stdout]).to.deep.equal([1, ""]);
    expect(refused.stderr).to.match(/this key is neither an admin's nor a member's/);
    expect([made.code, made.stderr]).to.deep.equal([0, ""]);
    expect(JSON.parse(made.stdout)).to.include({ isByThisOrder: true, stableOn: null });
  });

  it("says which key it lacks, and that nobody answers", async () => {
    const silent = await ProcessCluster.make({ checkpointInterval: K, windowSize: 4 * K });

    const keyless = await checkpoint("--genesis", silent.genesisPath);
    const alone = await checkpoint("--data", silent.path, "--timeout", "300");

    expect([keyless.code, keyless.stderr]).to.deep.equal([
      1,
      "quorate: with --genesis the key pair of an admin or a member has to be named: give --key FILE\n",
    ]);
    expect(alone.code).to.equal(3);
    expect(alone.stderr).to.match(/no 2 members agreed .*; no link to replica 0/);
  });

  it("can be ordered by a program, with a proof", async () => {
    await goOnUntilOneMayBeOrdered(cluster);
    const file = join(cluster.path, "admin.key.json");
    const seed = hexToBytes(parseKeyFile(readFileSync(file, "utf8"), file).seed);

    const { seq, isByThisOrder, receipt } = await orderCheckpoint({ genesis: cluster.genesis, seed });
    const again = await orderCheckpoint({ genesis: cluster.genesis, seed }).catch((error: unknown) => error);

    expect([isByThisOrder, receipt?.statement.seq]).to.deep.equal([true, seq]);
    expect(again).to.be.instanceOf(QuorateError).and.to.include({ code: "client.checkpoint-refused" });
  });

  function start(clients?: readonly PublicKey[]): Promise<ProcessCluster> {
    return ProcessCluster.start({ checkpointInterval: K, windowSize: 4 * K, ...(clients && { clients }) });
  }
});

function checkpoint(...flags: readonly string[]): ReturnType<typeof RunningCommand.quorate> {
  return RunningCommand.quorate(["checkpoint", ...flags]);
}

/** Operations one after the other, each a number of its own, until a quarter of K lies above the last checkpoint. */
async function goOnUntilOneMayBeOrdered(cluster: ProcessCluster, seed?: Uint8Array): Promise<void> {
  const { store } = await cluster.connect(seed === undefined ? {} : { seed });
  for (;;) {
    const [status] = await cluster.until((statuses) => {
      const executed = statuses[0]?.executed ?? 0;
      const last = statuses[0]?.lowWatermark ?? 0;
      return (
        last >= executed - (executed % K) &&
        statuses.every((other) => other.executed === executed && other.lowWatermark === last)
      );
    });
    const { executed, lowWatermark } = status as ProcessStatus;
    // The next one that comes by itself is not to come in between.
    if (executed - lowWatermark >= K / 4 && executed % K < K - 4) return;
    await store.put("key", "value");
  }
}
