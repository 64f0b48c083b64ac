import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generateSeed, type SignatureBackend, signPossession } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import {
  type CheckpointClaim,
  digest,
  epochNumber,
  hexToBytes,
  type Member,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { parseKeyFile } from "@quorate/server";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { approveChange, type OrderedChange, orderChange, prepareChange, QuorateError, submitChange } from "quorate";
import { seedOf } from "./raw-endpoint.ts";

const K = 8;
/** So long a way to an activation that a second order arrives on it. */
const L = 256;
/** Five are a quorum of seven. */
const RUNNING = [0, 1, 2, 3, 4];
const LOWERED =
  "the cluster refused the change (fault-threshold-lowered): fewer members could be faulty then than now; let another one join before, or say that this is meant";

interface Signed {
  readonly by?: readonly Uint8Array[];
  /** Of the key that the change brings in. */
  readonly ofKey?: Uint8Array;
}

describe("what a cluster of real processes refuses is told to whoever asked for it, with the reason", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  let backend: SignatureBackend;
  let admin: Uint8Array;
  const [second, stranger, joiner] = [0, 0, 0].map(() => generateSeed(randomBytes(32))) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  /** A checkpoint of the cluster's that is soon long past. */
  let early: CheckpointClaim;
  before(async () => {
    backend = await chooseBackend();
    cluster = await ProcessCluster.make({
      replicas: 7,
      checkpointInterval: K,
      windowSize: L,
      // A busy machine must not look like a primary that failed.
      timeouts: { viewChangeMs: 600_000, viewChangeMaxMs: 600_000 },
    });
    await cluster.startAll(RUNNING);
    const file = join(cluster.path, "admin.key.json");
    admin = hexToBytes(parseKeyFile(readFileSync(file, "utf8"), file).seed);
    const { store } = await cluster.connect();
    for (let i = 0; i < K; i++) await store.put("key", `${i}`);
    await cluster.until(([first]) => (first?.lowWatermark ?? 0) >= K, { ids: RUNNING });
    const stable = (await cluster.audit(0))?.own?.stable ?? { seq: 0, stateRoot: "" };
    early = { seq: sequenceNumber(stable.seq), stateRoot: digest(stable.stateRoot) };
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("an id that was used before, and a key and an address that another member has", async () => {
    const id = await refusalOf(joinOf({ id: replicaId(6) }));
    const key = await refusalOf(joinOf({ publicKey: cluster.member(0).publicKey }), { ofKey: seedOf(cluster, 0) });
    const address = await refusalOf(joinOf({ address: cluster.member(0).address }));

    expect(id).to.equal(
      "the cluster refused the change (id-used): its id was used before, and none is given twice; take one above all that were ever used",
    );
    expect(key).to.equal(
      "the cluster refused the change (key-used): another member has this key; make one that nobody else has",
    );
    expect(address).to.equal(
      "the cluster refused the change (address-used): another member has this address; expected one of its own",
    );
  });

  it("an approval of somebody who is no admin", async () => {
    const refused = await refusalOf(joinOf({}), { by: [admin, stranger] });

    expect(refused).to.equal(
      "the cluster refused the change (approval-foreign): one of its signatures is of a key that is no admin's in this epoch; have it signed by admins alone",
    );
  });

  it("an order that was there before, whoever brings it again", async () => {
    const leave = { type: "leave", id: replicaId(6), mayLowerFaultThreshold: false } as const;
    const init = { cluster: cluster.folder(0).cluster, epoch: epochNumber(0), change: leave };
    const order = await approveChange(prepareChange(init), admin);

    const once = await messageOf(submitChange({ genesis: cluster.genesis, seed: admin }, order));
    const again = await messageOf(submitChange({ genesis: cluster.genesis, seed: stranger }, order));

    expect(once).to.equal(LOWERED);
    expect(again).to.match(
      /^the cluster refused the change \(nonce-used\): an order with its nonce was executed before/,
    );
  });

  it("a leave by which fewer members may be faulty, unless it is asked for by name", async () => {
    const args = ["members", "remove", "6", "--data", cluster.path, "--timeout", "120000"];

    const refused = await RunningCommand.quorate(args);
    const done = await RunningCommand.quorate([...args, "--lower-fault-threshold"]);

    expect([refused.code, refused.stdout, refused.stderr]).to.deep.equal([5, "", `quorate: ${LOWERED}\n`]);
    expect([done.code, done.stderr]).to.satisfy(([code]: [number]) => code === 0);
    expect(done.stdout).to.match(/6 members \(0, 1, 2, 3, 4, 5\), of which 1 may be faulty and 4 decide\n$/);
  });

  it("an order with fewer approvals than it needs", async () => {
    const keys = [admin, second].map((seed) => backend.publicKeyOf(seed));
    await order({ type: "admins", admins: { threshold: 2, keys } });

    expect(await refusalOf(joinOf({ id: replicaId(7) }))).to.equal(
      "the cluster refused the change (approvals-too-few): it has the signatures of 1 admins, expected 2 of 2; have more of them approve it",
    );
  });

  it("a second change while one waits for its activation", async () => {
    const secondAlone = { type: "admins", admins: { threshold: 1, keys: [backend.publicKeyOf(second)] } } as const;

    const outcomes = await Promise.allSettled([0, 1].map(() => order(secondAlone, { by: [admin, second] })));

    const [refused, ...others] = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome] : []));
    expect(others, "one of them is in force").to.deep.equal([]);
    expect(reasonOf(refused?.reason)).to.equal(
      "the cluster refused the change (in-flight): another change waits for its activation; order this one when that is in force",
    );
  });

  it("an admin that is none any more", async () => {
    const refused = await refusalOf(joinOf({ id: replicaId(7) }), { by: [admin] });

    expect(refused).to.match(/^the cluster refused the change \(approval-foreign\)/);
  });

  it("a joiner that has not come further than to a checkpoint that is long past", async () => {
    const refused = await refusalOf(joinOf({ id: replicaId(7) }), { by: [second] });

    expect(refused).to.equal(
      "the cluster refused the change (joiner-behind): what the joiner has come to is none of the cluster's last checkpoints; wait until it has caught up, and take a newer claim of it",
    );
  });

  it("an order of an epoch that is over", async () => {
    const init = { cluster: cluster.folder(0).cluster, epoch: epochNumber(0), change: joinOf({}) };
    const possession = possessionOf(joiner, init);
    const late = await approveChange(prepareChange({ ...init, possession }), admin);

    const message = await messageOf(submitChange({ genesis: cluster.genesis, seed: admin }, late));

    expect(message).to.match(/^epoch 0, which the change was ordered for, is over: .*sign it anew/);
  });

  it("and nothing of all that has changed who the members are", async () => {
    const { stdout } = await RunningCommand.quorate(["epochs", "--data", cluster.path, "--json"]);
    const { epochs } = JSON.parse(stdout) as { epochs: readonly { readonly changed: readonly string[] }[] };

    expect(epochs.map(({ changed }) => changed.length)).to.deep.equal([0, 1, 1, 1]);
    expect(epochs[1]?.changed).to.deep.equal(["replica 6 has left"]);
  });

  /** Of who would join unless something is wrong with it. */
  function joinOf(given: Partial<Member>): Extract<ReconfigurationChange, { type: "join" }> {
    const publicKey = backend.publicKeyOf(joiner);
    const member = { id: replicaId(7), publicKey, address: "127.0.0.1:1", ...given };
    return { type: "join", member, checkpoint: early };
  }

  function possessionOf(seed: Uint8Array, request: Parameters<typeof signPossession>[1]): Uint8Array {
    return signPossession({ backend, seed, cluster: cluster.folder(0).cluster }, request);
  }

  function order(change: ReconfigurationChange, { by = [admin], ofKey = joiner }: Signed = {}): Promise<OrderedChange> {
    return orderChange({
      genesis: cluster.genesis,
      change,
      approverSeeds: by,
      ...(change.type === "join" && { possession: (epoch) => possessionOf(ofKey, { epoch, change }) }),
      timeoutMs: 120_000,
    });
  }

  /** What is said of a change that is refused. */
  function refusalOf(change: ReconfigurationChange, signed: Signed = {}): Promise<string> {
    return order(change, signed).then(
      () => "it was accepted",
      (error: unknown) => reasonOf(error),
    );
  }
});

function messageOf(submitted: Promise<OrderedChange>): Promise<string> {
  return submitted.then(
    () => "it was accepted",
    (error: unknown) => (error instanceof QuorateError ? error.message : Promise.reject(error)),
  );
}

/** The sentence of a refusal, which names its reason as its failure does. */
function reasonOf(error: unknown): string {
  if (!(error instanceof QuorateError) || error.failure?.code !== "client.change-refused") throw error;
  const { reason } = error.failure as { readonly reason?: string };
  expect(error.message).to.contain(`(${reason})`);
  return error.message;
}
