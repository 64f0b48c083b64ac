import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { createClientSigner, createReplicaSigner, type SignatureBackend } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  type Batch,
  type Digest,
  digest,
  epochNumber,
  type LinkIdentity,
  type NewView,
  type ReplicaFrame,
  type ReplicaMessage,
  type Request,
  replicaId,
  requestNumber,
  sequenceNumber,
  sessionId,
  timestampMs,
  type ViewChange,
  viewNumber,
} from "@quorate/protocol";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { CLIENT_DIAL_LIMITS, dial, type Endpoint, type PersistentLink, parseAddress } from "@quorate/transport";
import { expect } from "chai";
import { seededRandom } from "./process-load.ts";
import { rawEndpoint, seedOf } from "./raw-endpoint.ts";

const FULL = process.env.QUORATE_FULL === "1";
const FRAMES = FULL ? 5_000 : 150;
const random = seededRandom(0xbadf);
const below = (bound: number): number => Math.floor(random() * bound);

describe("a live replica that is sent garbage", function () {
  this.timeout(FULL ? 1_200_000 : 120_000);
  const links: PersistentLink[] = [];
  const sockets: Socket[] = [];
  let cluster: ProcessCluster;
  let backend: SignatureBackend;
  let codec: Codec;
  let pids: number[];
  before(async () => {
    backend = await chooseBackend();
    cluster = await ProcessCluster.start({ checkpointInterval: 16, windowSize: 64 });
    codec = createCodec(wireLimitsOf(cluster.genesis));
  });
  beforeEach(() => {
    pids = cluster.ids.map((id) => cluster.process(id).pid);
  });
  afterEach(() => {
    for (const link of links.splice(0)) link.close("the test is over");
    for (const socket of sockets.splice(0)) socket.destroy();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  it("goes on serving after random, truncated and mutated frames of an authenticated client", async () => {
    const samples = clientSamples().map((request) => codec.encodeClientFrame({ type: "request", request }));
    const attacker = attack(0, clientEndpoint());

    await whileServing(async () => {
      for (let i = 0; i < FRAMES; i++) {
        const frame = mutated(samples);
        if (samples.some((sample) => Buffer.from(sample).equals(frame))) continue;
        // No correct client sends such a thing, so each one costs its sender the link (protocol rule 13.1).
        await attacker.sendAndBeClosed(frame);
      }
    });

    await expectUnharmed(cluster.ids);
  });

  it("goes on serving after random, truncated and mutated frames under a member's real key", async () => {
    await cluster.kill([3]);
    const samples = replicaSamples().map((frame) => codec.encodeReplicaFrame(frame));
    const attackers = [0, 2].map((id) => attack(id, replicaEndpoint(3)));

    await whileServing(async () => {
      for (let i = 0; i < FRAMES; i++)
        for (const attacker of attackers) {
          const frame = mutated(samples);
          if (codec.decodeReplicaFrame(frame).ok) await attacker.send(frame);
          else await attacker.sendAndBeClosed(frame);
        }
    });

    await expectUnharmed([0, 1, 2]);
    for (const link of links.splice(0)) link.close("the real replica 3 comes back");
    await cluster.start(3);
    await expectSameState();
  });

  it("goes on serving after properly signed nonsense of a member", async () => {
    await cluster.kill([3]);
    const signer = createReplicaSigner({
      backend,
      seed: seedOf(cluster, 3),
      self: replicaId(3),
      cluster: cluster.folder(3).cluster,
    });
    const attackers = [0, 1].map((id) => attack(id, replicaEndpoint(3)));

    await whileServing(async () => {
      for (let i = 0; i < 4 * FRAMES; i++)
        for (const attacker of attackers) {
          const message = nonsense();
          const envelope = signer.sign(message);
          const frame =
            message.type === "pre-prepare"
              ? { type: "pre-prepare" as const, envelope, batch: { timestampMs: timestampMs(1), requests: [] } }
              : { type: "signed" as const, envelope };
          await attacker.send(codec.encodeReplicaFrame(frame as ReplicaFrame));
        }
    });

    await expectUnharmed([0, 1, 2]);
    for (const link of links.splice(0)) link.close("the real replica 3 comes back");
    await cluster.start(3);
    await expectSameState();
  });

  it("goes on serving strangers after HTTP, TLS, noise, and handshakes that stop half-way", async () => {
    const upgrade =
      "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
    const openings = [
      () => Buffer.from("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
      () => Buffer.from("POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
      () => Buffer.from("16030100a5010000a10303", "hex"),
      () => randomBytes(1 + below(2_000)),
      () => Buffer.from(upgrade.slice(0, 1 + below(upgrade.length))),
      () => Buffer.from(upgrade),
      () => Buffer.concat([Buffer.from(upgrade), randomBytes(1 + below(500))]),
      // Masked binary frames of noise, and a header that claims 90 MB.
      () => Buffer.concat([Buffer.from(upgrade), Buffer.from([0x82, 0xc0, 0, 0, 0, 0]), randomBytes(64)]),
      () => Buffer.concat([Buffer.from(upgrade), Buffer.from("82ff00000000055d4a8000000000", "hex")]),
      () => Buffer.alloc(0),
    ];

    await whileServing(async () => {
      for (let i = 0; i < FRAMES; i++) {
        const { host, port } = parseAddress(cluster.member(below(4)).address);
        const socket = connect(port, host);
        sockets.push(socket);
        socket.on("error", () => undefined).resume();
        await once(socket, "connect");
        socket.write((openings[i % openings.length] as () => Buffer)());
        // Some leave without a goodbye, the others stay and say nothing more.
        if (below(2) === 0) socket.resetAndDestroy();
      }
    });

    await expectUnharmed(cluster.ids);
    const late = await cluster.connect();
    expect(await late.store.increment("late")).to.equal(1n);
  });

  /** An honest client is served all the time. */
  async function whileServing(attackThem: () => Promise<void>): Promise<void> {
    const { store } = await cluster.connect();
    let isOver = false;
    let sum = await store.increment("served", 0n);
    const serving = (async () => {
      do expect(await store.increment("served")).to.equal(++sum);
      while (!isOver);
    })();
    try {
      await Promise.race([attackThem(), serving]);
    } finally {
      isOver = true;
    }
    await serving;
  }

  async function expectUnharmed(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      expect(cluster.process(id).isRunning, `replica ${id} runs: ${cluster.process(id).output}`).to.equal(true);
      expect((await cluster.status(id))?.pid, `pid of replica ${id}`).to.equal(pids[id]);
    }
    await expectSameState(ids);
  }

  async function expectSameState(ids?: readonly number[]): Promise<void> {
    await cluster.settled(ids);
    expect(new Set(await cluster.stateRoots(ids)).size, "state roots").to.equal(1);
  }

  function attack(target: number, endpoint: Endpoint): Attacker {
    const self = cluster.member(target);
    const attacker = new Attacker(self.address, endpoint, { role: "replica", id: self.id, publicKey: self.publicKey });
    links.push(attacker.link);
    return attacker;
  }

  function clientEndpoint(): Endpoint {
    const seed = randomBytes(32);
    return rawEndpoint(cluster, backend, { role: "client", publicKey: backend.publicKeyOf(seed) }, seed);
  }

  function replicaEndpoint(id: number): Endpoint {
    const self = cluster.member(id);
    return rawEndpoint(
      cluster,
      backend,
      { role: "replica", id: self.id, publicKey: self.publicKey },
      seedOf(cluster, id),
    );
  }

  function clientSamples(): Request[] {
    const hasher = createNodeHasher();
    const seed = randomBytes(32);
    const signer = createClientSigner({ backend, hasher, seed, cluster: cluster.folder(0).cluster });
    const operations = [new Uint8Array(3), randomBytes(300)];
    const session = sessionId(randomHex());
    return [
      signer.signRegistration({ nonce: digest(randomHex()), lastValid: sequenceNumber(500) }).request,
      signer.signOperations({ session, number: requestNumber(1), operations }).request,
    ];
  }

  function replicaSamples(): ReplicaFrame[] {
    const { cluster: id } = cluster.folder(3);
    const signer = createReplicaSigner({ backend, seed: seedOf(cluster, 3), self: replicaId(3), cluster: id });
    const [request] = clientSamples() as [Request];
    const batch: Batch = { timestampMs: timestampMs(1_700_000_000_000), requests: clientSamples() };
    const place = { epoch: epochNumber(0), view: viewNumber(0), seq: sequenceNumber(3) };
    const seq = sequenceNumber(16);
    const signatures = [0, 1, 2].map((from) => ({ from: replicaId(from), signature: randomBytes(64) }));
    const certificate = { ...place, digest: aDigest(), signatures };
    const checkpoint = { epoch: epochNumber(0), seq, stateRoot: aDigest(), signatures };
    const claim = { seq: sequenceNumber(17), view: viewNumber(0), digest: aDigest() };
    const viewChange: ViewChange = {
      type: "view-change",
      epoch: epochNumber(0),
      view: viewNumber(3),
      stable: { seq, stateRoot: checkpoint.stateRoot },
      prepared: [claim],
    };
    const prePrepare = signer.sign({ type: "pre-prepare", epoch: epochNumber(0), ...claim });
    const certificates = [{ prePrepare, prepares: signatures.slice(1) }];
    const viewChanges = signatures.map(({ from, signature }) => ({ from, message: viewChange, signature }));
    const newView: NewView = {
      type: "new-view",
      epoch: epochNumber(0),
      view: viewNumber(3),
      viewChanges: viewChanges.map(({ from }) => ({ from, digest: aDigest() })),
      start: seq,
      digests: [claim.digest],
    };
    return [
      { type: "view-change", viewChange: { envelope: signer.sign(viewChange), checkpoint, certificates } },
      {
        type: "new-view",
        newView: {
          envelope: signer.sign(newView),
          viewChanges,
          checkpoint,
          certificates,
          prePrepareSignatures: [randomBytes(64)],
        },
      },
      ...Array.from(
        { length: 12 },
        () => ({ type: "signed", envelope: signer.sign(nonsense()) }) as ReplicaFrame,
      ).filter((frame) => frame.type === "signed" && (frame.envelope.message as ReplicaMessage).type !== "pre-prepare"),
      { type: "pre-prepare", envelope: signer.sign({ type: "pre-prepare", ...place, digest: aDigest() }), batch },
      { type: "request", request },
      { type: "batch-body", batch },
      { type: "committed", entry: { batch, certificate } },
      { type: "stable-checkpoint", checkpoint },
      { type: "below-history", checkpoint },
    ];
  }
});

/** A proven peer that sends what it likes and comes back whenever it is thrown out. */
class Attacker {
  readonly link: PersistentLink;
  #onChange: (() => void)[] = [];

  constructor(address: string, endpoint: Endpoint, expected: LinkIdentity) {
    this.link = dial({
      address,
      endpoint,
      expected,
      limits: { ...CLIENT_DIAL_LIMITS, frameBytesMax: 32 * 1024 * 1024 },
      backOff: { firstMs: 4, longestMs: 16 },
      onFrame: () => undefined,
      onUp: () => this.#wake(),
      onDown: () => this.#wake(),
    });
  }

  async send(frame: Uint8Array): Promise<void> {
    while (!this.link.isUp) await this.#changed();
    this.link.send(frame);
  }

  async sendAndBeClosed(frame: Uint8Array): Promise<void> {
    await this.send(frame);
    while (this.link.isUp) await this.#changed();
  }

  #changed(): Promise<void> {
    return new Promise((resolve) => this.#onChange.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }
}

function randomHex(): string {
  return randomBytes(32).toString("hex");
}

function aDigest(): Digest {
  return digest(randomHex());
}

/** A well-formed message with fields from all over the range. */
function nonsense(): ReplicaMessage {
  const far = [0, 1, 3, 17, 64, 65, 1_000, 2 ** 31, 2 ** 32 + 1, Number.MAX_SAFE_INTEGER];
  const number = (): number => far[below(far.length)] ?? 0;
  const epoch = epochNumber(below(4) === 0 ? number() : 0);
  const view = viewNumber(below(2) === 0 ? number() : 0);
  const seq = sequenceNumber(number());
  const first = sequenceNumber(Math.max(1, Math.min(number(), Number.MAX_SAFE_INTEGER - 64)));
  const lack = { seq: sequenceNumber(Math.max(1, seq)), prePrepare: true, prepares: below(2) === 0, commits: true };
  const messages: ReplicaMessage[] = [
    { type: "pre-prepare", epoch, view, seq, digest: aDigest() },
    { type: "prepare", epoch, view, seq, digest: aDigest() },
    { type: "commit", epoch, view, seq, digest: aDigest() },
    { type: "checkpoint", epoch, seq, stateRoot: aDigest() },
    {
      type: "status",
      epoch,
      view,
      executed: seq,
      stable: seq,
      accepted: sequenceNumber(number()),
      lacks: [lack],
      target: view,
      viewChangesOf: [],
      executionDigest: aDigest(),
    },
    { type: "fetch-batch", epoch, seq, digest: aDigest() },
    { type: "fetch-committed", epoch, first, last: sequenceNumber(first + below(64)) },
    { type: "hand-over", epoch, view },
  ];
  return messages[below(messages.length)] as ReplicaMessage;
}

/** One of the samples, changed in one of the ways bytes go wrong; or bytes that never were anything. */
function mutated(samples: readonly Uint8Array[]): Uint8Array {
  const sample = Buffer.from(samples[below(samples.length)] ?? []);
  const at = below(sample.length);
  switch (below(7)) {
    case 0:
      return randomBytes(1 + below(300));
    case 1:
      return sample.subarray(0, Math.max(1, at));
    case 2:
      sample[at] = (sample[at] ?? 0) ^ (1 << below(8));
      return sample;
    case 3:
      sample[at] = below(256);
      return sample;
    case 4:
      return Buffer.concat([sample, randomBytes(1 + below(9))]);
    case 5:
      return Buffer.concat([sample.subarray(0, at), randomBytes(1 + below(9)), sample.subarray(at)]);
    default: {
      const other = Buffer.from(samples[below(samples.length)] ?? []);
      return Buffer.concat([sample.subarray(0, Math.max(1, at)), other.subarray(below(other.length))]);
    }
  }
}
