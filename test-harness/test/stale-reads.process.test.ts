import { fileURLToPath } from "node:url";
import { type Exit, ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { QuorateError } from "quorate";

const LYING_REPLICA = fileURLToPath(new URL("./lying-replica-child.js", import.meta.url));
const INTERVAL = 8;
const HONEST = 1;
const LIAR = 3;
const KEYS = ["a", "b", "c", "d"];
const text = (bytes: Uint8Array | undefined): string | undefined => bytes && new TextDecoder().decode(bytes);

describe("reads of one of four real replicas, while the others are stopped (protocol rule 6.2)", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  /** At or above this checkpoint are all values. */
  let written: number;
  before(async () => {
    cluster = await ProcessCluster.make({ checkpointInterval: INTERVAL, windowSize: 4 * INTERVAL });
    await cluster.startAll(cluster.ids.filter((id) => id !== LIAR));
    await cluster.startWith(LIAR, process.execPath, [LYING_REPLICA, cluster.folder(LIAR).path]);
    const { store } = await cluster.connect();
    for (const key of KEYS) await store.put(key, `value of ${key}`);
    const ordered = (await cluster.settled([0, HONEST, 2]))[0]!.executed;
    for (let i = 0; i < 2 * INTERVAL; i++) await store.increment("ticks");
    await cluster.until((statuses) => statuses.every(({ lowWatermark }) => lowWatermark >= ordered), {
      ids: [0, HONEST, 2],
    });
    written = ordered;
    await cluster.kill([0, 2]);
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  const addressOf = (id: number): string => cluster.genesis.members[id]!.address;
  const quorate = (...args: string[]): Promise<Exit> =>
    RunningCommand.quorate(["kv", ...args, "--genesis", cluster.genesisPath]);

  it("find a lying one out, whether it forges a value or denies one, and believe the honest one", async () => {
    for (let lie = 0; lie < 2; lie++) {
      const { store } = await cluster.connect();
      const refused = await store.getStale("a", { from: addressOf(LIAR) }).catch((error: unknown) => error);

      expect(refused).to.be.instanceOf(QuorateError);
      expect(refused).to.include({ code: "client.read-refused" });
      expect(String(refused)).to.match(/replica 3 LIED: its proof does not show what it says/);
      const { value, seq, from } = await store.getStale("a");
      expect([text(value), from]).to.deep.equal(["value of a", HONEST]);
      expect(seq).to.be.at.least(written);
    }
    const liar = cluster.process(LIAR);
    liar.send({ type: "lies" });
    expect((await liar.message("lies")).reads).to.be.at.least(2);
  });

  it("are answered by an honest one alone, with what is there, and that nothing is", async () => {
    await cluster.kill([LIAR]);
    const { client, store } = await cluster.connect({ settings: { sessionAtOnce: false } });
    const before = (await cluster.status(HONEST))!.pendingRequests;

    expect(text((await store.getStale("b")).value)).to.equal("value of b");
    const { values, certificate, epoch } = await client.readStale(
      ["c", "nothing", "d"].map((key) => new TextEncoder().encode(key)),
    );
    expect(values.map(text)).to.deep.equal(["value of c", undefined, "value of d"]);
    expect([epoch, certificate.signatures.length]).to.deep.equal([0, 3]);

    const range = await store.rangeStale("b", "d", 1);
    expect([range.entries.map(({ key }) => text(key)), text(range.next)]).to.deep.equal([["b"], "c"]);
    // Nothing was ordered, for nothing could be.
    expect((await cluster.status(HONEST))!.pendingRequests).to.equal(before);
  });

  it("are answered over a link of its own to an address, whoever is there", async () => {
    const client = await cluster.connect({ addresses: [] });
    const { port } = new URL(`http://${addressOf(HONEST)}`);

    // No member has this address, so its key is not known beforehand.
    const { value, from } = await client.store.getStale("c", { from: `localhost:${port}` });

    expect([text(value), from]).to.deep.equal(["value of c", `localhost:${port}`]);
  });

  it("are not of a checkpoint that is older than was asked for, and say so at the deadline", async () => {
    const { store } = await cluster.connect();
    const { seq } = await store.getStale("a");

    const atLeast = (seq + 1) as typeof seq;
    const failure = await store.getStale("a", { atLeast, timeoutMs: 1_000 }).catch((error: unknown) => error);

    expect(failure).to.include({ code: "client.read-unanswered" });
    expect(String(failure)).to.match(/replica 1 has no checkpoint that is new enough/);
  });

  it("are made by `quorate kv`, which tells the checkpoint apart from the value", async () => {
    const get = await quorate("get", "a", "--stale");
    expect([get.code, get.stdout]).to.deep.equal([0, "value of a\n"]);
    expect(get.stderr).to.match(/^quorate: as of checkpoint \d+ of epoch 0, proven by replica 1\n$/);

    const absent = await quorate("get", "nothing", "--from", addressOf(HONEST), "--json");
    expect(absent.code, absent.stderr).to.equal(4);
    expect(JSON.parse(absent.stdout)).to.deep.include({ key: "nothing", value: null, epoch: 0, from: HONEST });

    const range = await quorate("range", "a", "c", "--stale", "--limit", "1");
    expect([range.code, range.stdout]).to.deep.equal([0, "a\tvalue of a\n"]);
    expect(range.stderr).to.match(/there are more entries; `quorate kv range .*--stale --limit 1 -- b c` goes on/);
  });
});
