import { randomBytes } from "node:crypto";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { createClientSigner } from "@quorate/crypto";
import {
  type ClientFrame,
  EPOCH_LINKS_MAX,
  type EpochLink,
  epochNumber,
  type LinkIdentity,
  type Member,
  replicaId,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { type FramedLink, type Listener, LoopbackNetwork, parseAddress, TransportError } from "@quorate/transport";
import { expect } from "chai";
import { QuorateClient } from "quorate";

const id = (number: number): ReturnType<typeof replicaId> => replicaId(number);

/** A cluster whose replicas say where they are, show links, and note what they get. */
class Scene {
  readonly script = new ScriptedEpochs();
  readonly network = new LoopbackNetwork();
  readonly codec: Codec = createCodec(wireLimitsOf(this.script.genesis));
  readonly replicas: NotingReplica[] = [];
  client: QuorateClient | undefined;

  /** The replicas of the last epoch come up, those of earlier ones that are no members stay as they were. */
  async start(members: readonly Member[] = this.script.membershipAt(this.script.epoch).members): Promise<void> {
    for (const member of members) await this.startReplica(member, this.script.seedOf(member.id));
  }
  async startReplica(member: Member, seed: Uint8Array): Promise<NotingReplica> {
    const replica = new NotingReplica(this, member, seed);
    this.replicas.push(replica);
    await replica.open();
    return replica;
  }
  replica(number: number): NotingReplica {
    return this.replicas.find((replica) => replica.member.id === number)!;
  }

  connect(addresses?: readonly string[]): QuorateClient {
    const { backend, hasher, cluster, genesis } = this.script;
    const seed = new Uint8Array(32).fill(5);
    const signer = createClientSigner({ backend, hasher, seed, cluster });
    this.client = new QuorateClient(
      { genesis, cluster, signer, seed, settings: { resendAfterMs: 20 }, ...(addresses && { addresses }) },
      {
        backend,
        hasher,
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
        nowMs: () => performance.now(),
        dial: (address, options) => this.network.dial({ ...options, address, backOff: { firstMs: 1, longestMs: 8 } }),
      },
    );
    return this.client;
  }

  async end(): Promise<void> {
    this.client?.close();
    for (const replica of this.replicas) await replica.close();
  }
}

class NotingReplica {
  readonly member: Member;
  readonly frames: ClientFrame[] = [];
  readonly links = new Set<FramedLink>();
  refusals = 0;
  /** What it answers to a question above an epoch. */
  answer: (above: number) => readonly EpochLink[];
  readonly #scene: Scene;
  readonly #seed: Uint8Array;
  readonly #epoch: number;
  #listener: Listener | undefined;
  #onChange: () => void = () => undefined;

  constructor(scene: Scene, member: Member, seed: Uint8Array) {
    this.#scene = scene;
    this.member = member;
    this.#seed = seed;
    this.#epoch = scene.script.epoch;
    this.answer = (above) => scene.script.links.slice(above, Math.min(this.#epoch, above + EPOCH_LINKS_MAX));
  }

  async open(): Promise<void> {
    const { backend, cluster } = this.#scene.script;
    const identity: LinkIdentity = { role: "replica", id: this.member.id, publicKey: backend.publicKeyOf(this.#seed) };
    this.#listener = await this.#scene.network.listen({
      address: parseAddress(this.member.address),
      endpoint: {
        cluster,
        randomBytes: (length) => new Uint8Array(randomBytes(length)),
        credentials: {
          identity,
          sign: (preimage) => backend.sign(this.#seed, preimage),
          verify: (key, preimage, signature) => backend.verify(key, preimage, signature),
          isAdmissible: (key) => backend.isAdmissible(key),
        },
      },
      memberKeysOf: () => [],
      onRefused: () => {
        this.refusals++;
        this.#onChange();
      },
      onLink: (_peer, link) => {
        this.links.add(link);
        this.welcome(this.#epoch, [link]);
        this.#onChange();
        return {
          onFrame: (bytes) => this.#onFrame(bytes, link),
          onDown: () => {
            this.links.delete(link);
            this.#onChange();
          },
        };
      },
    });
  }
  welcome(epoch: number, to: Iterable<FramedLink> = this.links): void {
    const frame = {
      type: "welcome",
      epoch: epochNumber(epoch),
      view: viewNumber(0),
      executed: sequenceNumber(40),
    } as const;
    for (const link of to) link.send(this.#scene.codec.encodeServerFrame(frame));
  }
  async close(): Promise<void> {
    await this.#listener?.close("the test is over");
  }

  /** Until this holds; looked at whenever something has come or a link has changed. */
  async until(isSo: () => boolean): Promise<void> {
    while (!isSo())
      await new Promise<void>((resolve) => {
        this.#onChange = resolve;
      });
  }

  #onFrame(bytes: Uint8Array, link: FramedLink): void {
    const decoded = this.#scene.codec.decodeClientFrame(bytes);
    if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
    const frame = decoded.value;
    this.frames.push(frame);
    if (frame.type === "fetch-epochs") {
      const links = this.answer(frame.fetch.above);
      link.send(this.#scene.codec.encodeServerFrame({ type: "epoch-links", links }));
    }
    this.#onChange();
  }
}

const hasRequest = (replica: NotingReplica): boolean => replica.frames.some(({ type }) => type === "request");

describe("a client whose genesis document is old", () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.end());

  it("finds the cluster at the addresses of genesis, though each replica there has another key now", async () => {
    for (let member = 0; member < 4; member++) scene.script.rotateKey(id(member));
    await scene.start();

    const { epochs } = scene.connect();
    for (const replica of scene.replicas) await replica.until(() => hasRequest(replica));

    expect(epochs.epoch).to.equal(4);
    expect(epochs.membership).to.deep.equal(scene.script.membershipAt(4));
    for (const replica of scene.replicas) await replica.until(() => replica.links.size === 1);
  });

  it("finds it through one address that it is given, though all members are others, and over many epochs", async () => {
    for (let more = 0; more < 4; more++) scene.script.join();
    for (let less = 0; less < 4; less++) scene.script.leave(id(less));
    scene.script.idle(2 * EPOCH_LINKS_MAX);
    await scene.start();
    const { address } = scene.replica(6).member;

    const { epochs } = scene.connect([address]);
    for (const replica of scene.replicas) await replica.until(() => hasRequest(replica));

    expect(epochs.epoch).to.equal(8 + 2 * EPOCH_LINKS_MAX);
    expect(epochs.membership.members.map((member) => member.id)).to.deep.equal([4, 5, 6, 7]);
  });

  it("tells whoever it does not know nothing but a question, and believes nothing but what is proven", async () => {
    const { members } = scene.script.membershipAt(0);
    const forged = scene.script.linkTo({}, { signers: [id(0), id(1)] });
    for (const member of members) {
      const impostor = await scene.startReplica(member, new Uint8Array(32).fill(100 + member.id));
      impostor.answer = () => [forged];
    }
    const { epochs } = scene.connect();
    const [first, second] = scene.replicas as [NotingReplica, NotingReplica];

    // It asks again, for its dials of the member are refused again and again.
    await first.until(() => first.frames.length >= 3);
    await second.until(() => second.frames.length >= 3);

    expect(epochs.epoch).to.equal(0);
    for (const { frames } of scene.replicas)
      for (const frame of frames) expect(frame).to.deep.equal({ type: "fetch-epochs", fetch: { above: 0 } });
  });

  it("asks no stranger while enough members are linked", async () => {
    const [stranger, ...members] = scene.script.membershipAt(0).members as [Member, ...Member[]];
    await scene.start(members);
    const { epochs } = scene.connect();
    const linked = scene.replica(3);
    await linked.until(() => linked.frames.some(({ type }) => type === "fetch-epochs"));

    const impostor = await scene.startReplica(stranger, new Uint8Array(32).fill(100));
    await impostor.until(() => impostor.refusals >= 3);
    const sent = linked.frames.length;
    await linked.until(() => linked.frames.length > sent);

    expect([impostor.frames, epochs.epoch]).to.deep.equal([[], 0]);
  });

  it("refuses an address that is none", () => {
    expect(() => scene.connect(["nowhere"])).to.throw(TransportError, /"nowhere" is not an address/);
  });
});

describe("a client that is there when an epoch begins", () => {
  let scene: Scene;
  beforeEach(() => {
    scene = new Scene();
  });
  afterEach(() => scene.end());

  it("opens links to those that join, with their keys, and ends those to leavers", async () => {
    await scene.start();
    const { epochs } = scene.connect();
    for (const replica of scene.replicas) await replica.until(() => replica.links.size === 1);
    const joined = scene.script.join();
    scene.script.leave(id(0));
    const joiner = await scene.startReplica(joined, scene.script.seedOf(joined.id));

    scene.replica(2).answer = (above) => scene.script.links.slice(above);
    scene.replica(2).welcome(2);
    await joiner.until(() => hasRequest(joiner));
    const leaver = scene.replica(0);
    await leaver.until(() => leaver.links.size === 0);

    expect(epochs.epoch).to.equal(2);
    expect(scene.replica(1).links.size).to.equal(1);
  });

  it("goes on with the others where a member has an address that is none", async () => {
    await scene.start();
    const { epochs } = scene.connect();
    const { members } = scene.script.membershipAt(0);
    const moved = members.map((member) => (member.id === 3 ? { ...member, address: "no address" } : member));
    scene.script.change({ members: moved });
    const [one, other] = [scene.replica(1), scene.replica(2)];
    one.answer = (above) => scene.script.links.slice(above);
    await one.until(() => one.links.size === 1);

    one.welcome(1);
    await other.until(() => other.frames.some((frame) => frame.type === "request"));
    await scene.replica(3).until(() => scene.replica(3).links.size === 0);

    expect(epochs.epoch).to.equal(1);
  });
});
