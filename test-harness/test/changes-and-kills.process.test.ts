import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { generateSeed, type SignatureBackend, signPossession } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import {
  type AcceptedChange,
  digest,
  epochNumber,
  hexToBytes,
  type LinkIdentity,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { type IngressRejection, parseKeyFile } from "@quorate/server";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { type KvClient, orderChange } from "quorate";
import { expectOnce, expectSameState, expectWritten, Load } from "./process-load.ts";
import { seedOf } from "./raw-endpoint.ts";
import { VotingPeer } from "./voting-peer.ts";

const K = 16;
/** A way to an activation on which processes can be killed. */
const L = 128;
const DEADLINE_MS = 120_000;
/** The one that has no process. */
const FIFTH = replicaId(4);

describe("a change of four real processes that are killed, and of a fifth that votes when it may not", function () {
  this.timeout(240_000);
  let cluster: ProcessCluster;
  let backend: SignatureBackend;
  let codec: Codec;
  let admin: Uint8Array;
  let store: KvClient;
  let load: Load;
  const [firstSeed, nextSeed] = [0, 0].map(() => generateSeed(randomBytes(32))) as [Uint8Array, Uint8Array];
  const peers: VotingPeer[] = [];
  before(async () => {
    backend = await chooseBackend();
    // A busy machine must not look like a primary that failed, nor replicas that are not there.
    const timeouts = { viewChangeMs: 600_000, viewChangeMaxMs: 600_000 };
    cluster = await ProcessCluster.start({ checkpointInterval: K, windowSize: L, timeouts });
    codec = createCodec(wireLimitsOf(cluster.genesis));
    const file = join(cluster.path, "admin.key.json");
    admin = hexToBytes(parseKeyFile(readFileSync(file, "utf8"), file).seed);
    store = (await cluster.connect()).store;
    load = new Load([await cluster.connect()], "load", DEADLINE_MS);
    await load.goesOn(10);
  });
  after(async () => {
    for (const peer of peers) peer.close();
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("a replica that is killed when a change is accepted comes back to it", async () => {
    const change = { type: "parameters", checkpointInterval: K / 2, windowSize: L } as const;
    let killed: Promise<void> | undefined;

    const { epoch, activation } = await order(change, () => {
      killed = cluster.kill([3]);
    });

    await killed;
    await cluster.start(3);
    await cluster.until((statuses) => statuses.every((status) => status.epoch === epoch));
    expect([epoch, await firstOf(epoch)]).to.deep.equal([1, activation + 1]);
    await load.goesOn(5);
  });

  it("a change waits for its number when all are killed over it, and whoever is to join has no vote before", async () => {
    const { seq, stateRoot } = (await cluster.audit(0))?.own?.stable ?? { seq: 0, stateRoot: "" };
    const member = { id: FIFTH, publicKey: backend.publicKeyOf(firstSeed), address: "127.0.0.1:1" };
    const checkpoint = { seq: sequenceNumber(seq), stateRoot: digest(stateRoot) };
    const accepted = await acceptedAndKilled({ type: "join", member, checkpoint });

    await cluster.startAll([0, 1]);
    const early = peer({ role: "observer", publicKey: member.publicKey }, firstSeed, [0, 1]);
    await early.isUp();
    for (const epoch of [1, 2])
      early.vote({
        type: "pre-prepare",
        epoch: epochNumber(epoch),
        view: viewNumber(0),
        seq: sequenceNumber(accepted.activation),
        digest: digest(randomBytes(32).toString("hex")),
      });
    const refused = await refusals("observer.speaks", [0, 1]);

    expect(
      refused.map(({ epoch }) => epoch),
      "nothing is in force",
    ).to.deep.equal([1, 1]);
    early.close();
    for (const { executed } of refused) expect(executed).to.be.lessThan(accepted.activation);
    await cluster.startAll([2, 3]);
    await cluster.until((statuses) => statuses.every(({ epoch }) => epoch === 2));
    expect([accepted.epoch, await firstOf(2)]).to.deep.equal([2, accepted.activation + 1]);
    await load.goesOn(5);
    await load.end();
    expect(load.ledger.failed, "failed").to.equal(0);
    await expectOnce(store, load.ledger);
    await expectWritten(store, load.ledger);
    await expectSameState(cluster);
  });

  it("the one that has joined is needed, and its vote counts", async () => {
    await cluster.kill([3]);
    const member = peer({ role: "observer", publicKey: backend.publicKeyOf(firstSeed) }, firstSeed, [0, 1, 2]);
    await member.isUp();
    member.each((proposal) => member.vote(proposal));

    await store.put("key", "by three and the fifth");

    member.close();
    await cluster.start(3);
    await cluster.settled();
  });

  it("a vote under a key that was the member's in the epoch before counts for nothing, one under the new key does", async () => {
    const publicKey = backend.publicKeyOf(nextSeed);
    const { epoch } = await order({ type: "rotate-key", id: FIFTH, publicKey });
    await cluster.until((statuses) => statuses.every((status) => status.epoch === epoch));
    await cluster.kill([0]);
    const others = [1, 2, 3];
    const now = peer({ role: "observer", publicKey }, nextSeed, others);
    await now.isUp();
    now.each((proposal) => now.vote(proposal, firstSeed));
    let isPut = false;

    const put = store.put("key", "under the new key", { timeoutMs: DEADLINE_MS }).then(() => (isPut = true));
    await refusals("ingress.bad-signature", others);

    expect(isPut, "by votes under the old key").to.equal(false);
    // What is badly signed costs its link.
    now.close();
    const again = peer({ role: "observer", publicKey }, nextSeed, others);
    await again.isUp();
    for (const link of [now, again]) link.each((proposal) => again.vote(proposal));
    await put;
    await cluster.start(0);
    await cluster.settled();
  });

  it("a vote of one that has left counts for nothing", async () => {
    const { epoch } = await order({ type: "leave", id: FIFTH, mayLowerFaultThreshold: false });
    await cluster.until((statuses) => statuses.every((status) => status.epoch === epoch));
    await cluster.kill([2, 3]);
    const others = [0, 1];
    const { publicKey } = cluster.member(3);
    const third = new VotingPeer({
      ...{ cluster, backend, codec, targets: others, self: replicaId(3), seed: seedOf(cluster, 3) },
      identity: { role: "replica", id: replicaId(3), publicKey },
    });
    peers.push(third);
    const left = peer(memberLink(nextSeed), nextSeed, others);
    await Promise.all([third.isUp(), left.isUp()]);
    third.each((proposal) => left.vote(proposal));
    let isPut = false;

    const put = store.put("key", "without the fifth", { timeoutMs: DEADLINE_MS }).then(() => (isPut = true));
    await refusals("observer.speaks", others);

    expect(isPut, "by votes of one that has left").to.equal(false);
    third.close();
    await cluster.startAll([2, 3]);
    await put;
    await expectSameState(cluster);
  });

  function order(change: ReconfigurationChange, onAccepted?: () => void): Promise<AcceptedChange> {
    return orderChange({
      genesis: cluster.genesis,
      change,
      approverSeeds: [admin],
      possession: (epoch) => possessionOf(epoch, change),
      timeoutMs: DEADLINE_MS,
      isAwaited: change.type !== "join",
      onProgress: ({ type }) => {
        if (type === "accepted") onAccepted?.();
      },
    });
  }

  /** All are killed as soon as it is known that the change is accepted. */
  async function acceptedAndKilled(change: ReconfigurationChange): Promise<AcceptedChange> {
    let killed: Promise<void> | undefined;
    const accepted = await order(change, () => {
      killed = cluster.kill();
    });
    await killed;
    return accepted;
  }

  /** Of the key that a change brings in. */
  function possessionOf(epoch: ReturnType<typeof epochNumber>, change: ReconfigurationChange): Uint8Array {
    const seeds = { join: firstSeed, "rotate-key": nextSeed } as Readonly<Record<string, Uint8Array>>;
    const seed = seeds[change.type];
    const { cluster: id } = cluster.folder(0);
    return seed === undefined ? new Uint8Array(0) : signPossession({ backend, seed, cluster: id }, { epoch, change });
  }

  function memberLink(seed: Uint8Array): LinkIdentity {
    return { role: "replica", id: FIFTH, publicKey: backend.publicKeyOf(seed) };
  }

  function peer(identity: LinkIdentity, seed: Uint8Array, targets: readonly number[]): VotingPeer {
    const made = new VotingPeer({ cluster, backend, codec, targets, identity, self: FIFTH, seed });
    peers.push(made);
    return made;
  }

  /** All of them have dropped something for this reason, as they count and say. */
  function refusals(code: IngressRejection["code"], ids: readonly number[]): ReturnType<ProcessCluster["until"]> {
    return cluster.until((statuses) => statuses.every(({ rejections }) => (rejections[code] ?? 0) > 0), { ids });
  }

  async function firstOf(epoch: number): Promise<number | undefined> {
    const { stdout } = await RunningCommand.quorate(["epochs", "--data", cluster.path, "--json"]);
    const { epochs } = JSON.parse(stdout) as { epochs: readonly { readonly activation: number }[] };
    const activation = epochs[epoch]?.activation;
    return activation === undefined ? undefined : activation + 1;
  }
});
