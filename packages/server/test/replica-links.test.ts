import { type AddressInfo, createServer } from "node:net";
import { createCodec, wireLimitsOf } from "@quorate/codec";
import {
  epochNumber,
  isObserverPeer,
  type LinkIdentity,
  type Member,
  type Memberships,
  OBSERVER_LINKS_MAX,
  type OperationsRequest,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  replicaId,
} from "@quorate/protocol";
import { ReplicaEndpoint, ReplicaLinks, type ReplicaLinksOptions } from "@quorate/server";
import {
  CLIENT_DIAL_LIMITS,
  dial,
  type Endpoint,
  type FramedLink,
  type Listener,
  listen,
  type PersistentLink,
} from "@quorate/transport";
import { EventLog } from "@quorate/transport/compliance";
import { expect } from "chai";
import pino from "pino";
import { backend, cluster, codec, genesis, requestOf, seedOf } from "./builders.ts";

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const keyOf = (name: string): PublicKey => backend.publicKeyOf(seedOf(name));
const frame = (epoch: number): ReplicaFrame => ({ type: "fetch-epochs", fetch: { above: epoch as never } });
/** One that says of which epoch it is; `mark` is what it is known by. */
const frameOf = (epoch: number, mark: number): ReplicaFrame => ({
  type: "fetch-history",
  fetch: { epoch: epoch as never, first: mark as never, last: mark as never },
});

interface Heard {
  readonly from: ReplicaId;
  readonly epoch: number;
}

/** A replica that has nothing but links: what it holds, what it knows, and what it has heard. */
class Linked {
  readonly name: string;
  readonly address: string;
  readonly heard = new EventLog<Heard>();
  /** Who has sent links of the epoch chain. */
  readonly answers = new EventLog<ReplicaId>();
  readonly links: ReplicaLinks;
  /** The names of the keys that it holds. */
  held: readonly string[];
  #epochs: readonly (readonly Member[])[];

  constructor(name: string, port: number, epochs: Linked["known"], options: Partial<ReplicaLinksOptions> = {}) {
    this.name = name;
    this.held = [name];
    this.address = `127.0.0.1:${port}`;
    this.#epochs = epochs;
    const keys = {
      held: [],
      seedOf: (key: PublicKey) => this.held.map(seedOf).find((seed) => backend.publicKeyOf(seed) === key),
    };
    Object.defineProperty(keys, "held", {
      get: () => this.held.map((held) => ({ publicKey: keyOf(held), seed: seedOf(held) })),
    });
    this.links = new ReplicaLinks({
      endpoint: new ReplicaEndpoint({ cluster, backend, keys, membership: () => this.#memberships.membership }),
      epochs: () => this.#memberships,
      epoch: () => this.#memberships.membership.epoch,
      listen: this.address,
      peers: [],
      codec,
      events: {
        onReplicaFrame: (from, heard) => {
          if (heard.type === "fetch-epochs") this.heard.add({ from, epoch: heard.fetch.above });
          if (heard.type === "fetch-history") this.heard.add({ from, epoch: heard.fetch.first });
          if (heard.type === "epoch-links") this.answers.add(from);
          return true;
        },
        onClientFrame: () => true,
        welcome: () => ({ type: "refused", requestDigest: requestOf("a").digest, code: "overloaded" }),
      },
      log: pino({ level: "silent" }),
      lostTouchMs: 100,
      ...options,
    });
  }

  get known(): readonly (readonly Member[])[] {
    return this.#epochs;
  }

  get #memberships(): Memberships {
    const at = (epoch: number) => {
      const members = this.#epochs[epoch];
      return members && { epoch: epoch as never, members };
    };
    const membership = at(this.#epochs.length - 1);
    if (membership === undefined) throw new Error("no epochs");
    return { membership: membership as never, membershipAt: (epoch) => at(epoch) as never };
  }

  /** It learns of the next epoch. */
  turn(members: readonly Member[]): void {
    this.#epochs = [...this.#epochs, members];
    this.links.onEpoch();
  }
}

describe("ReplicaLinks", () => {
  const open: Linked[] = [];
  const dialed: PersistentLink[] = [];
  const listeners: Listener[] = [];
  let ports: number[] = [];
  before(async () => {
    ports = await Promise.all(Array.from({ length: 8 }, freePort));
  });
  afterEach(async () => {
    for (const link of dialed.splice(0)) link.close("end of test");
    await Promise.all(listeners.splice(0).map((listener) => listener.close("end of test")));
    await Promise.all(open.splice(0).map(({ links }) => links.close("end of test")));
  });

  const memberOf = (id: number, name = `replica ${id}`, port = ports[id]): Member => ({
    id: replicaId(id),
    publicKey: keyOf(name),
    address: `127.0.0.1:${port}`,
  });
  const membersOf = (...ids: number[]): Member[] => ids.map((id) => memberOf(id));

  async function linked(
    name: string,
    place: number,
    epochs: readonly (readonly Member[])[],
    options: Partial<ReplicaLinksOptions> = {},
  ): Promise<Linked> {
    const replica = new Linked(name, ports[place]!, epochs, options);
    open.push(replica);
    await replica.links.open();
    return replica;
  }

  /** Says it until it is heard: links come up in their own time, and what is said before is lost. */
  async function heardFrom(say: () => void, by: Linked, epoch: number): Promise<Heard> {
    for (;;) {
      say();
      await new Promise((resolve) => setTimeout(resolve, 10));
      const found = by.heard.events.find((heard) => heard.epoch === epoch);
      if (found !== undefined) return found;
    }
  }
  /** A member says something to another one, by its id. */
  async function says(from: Linked, to: Linked, id: number, epoch: number): Promise<ReplicaId> {
    return (await heardFrom(() => from.links.sendToReplica(replicaId(id), frame(epoch)), to, epoch)).from;
  }

  it("are with each other member, by its id, and with one that comes", async () => {
    const first = membersOf(0, 1);
    const [zero, one] = [await linked("replica 0", 0, [first]), await linked("replica 1", 1, [first])];
    expect(await says(zero, one, 1, 11)).to.equal(0);
    expect(await says(one, zero, 0, 12)).to.equal(1);

    const second = membersOf(0, 1, 2);
    const two = await linked("replica 2", 2, [first, second]);
    for (const replica of [zero, one]) replica.turn(second);
    expect(await says(zero, two, 2, 13)).to.equal(0);
    expect(await says(two, one, 1, 14)).to.equal(2);
  });

  it("end with one that goes, and the one that went follows as an observer", async () => {
    const [first, second] = [membersOf(0, 1, 2), membersOf(0, 1)];
    const [zero, two] = [await linked("replica 0", 0, [first]), await linked("replica 2", 2, [first])];
    expect(await says(zero, two, 2, 21)).to.equal(0);

    for (const replica of [zero, two]) replica.turn(second);
    const { from } = await heardFrom(() => zero.links.sendToObservers(frame(22)), two, 22);
    expect(from).to.equal(0);
    const { from: number } = await heardFrom(() => two.links.sendToReplica(replicaId(0), frame(23)), zero, 23);
    expect(isObserverPeer(number)).to.equal(true);
    expect((await heardFrom(() => zero.links.sendToReplica(number, frame(24)), two, 24)).from).to.equal(0);
    expect(zero.links.peers.map(({ replica }) => replica)).to.deep.equal([1]);
    expect(zero.links.observerCount).to.equal(1);
  });

  it("are dialed anew when a member has another key, whoever learns of it first", async () => {
    const first = membersOf(0, 1);
    const second = [memberOf(0), memberOf(1, "replica 1 anew")];
    const [zero, one] = [await linked("replica 0", 0, [first]), await linked("replica 1", 1, [first])];
    one.held = ["replica 1", "replica 1 anew"];
    expect(await says(zero, one, 1, 31)).to.equal(0);

    zero.turn(second);
    // It holds the key that it is taken for, and does not know yet that it is in force.
    expect(await says(zero, one, 1, 32)).to.equal(0);
    one.turn(second);
    one.held = ["replica 1 anew"];
    expect(await says(one, zero, 0, 33)).to.equal(1);
    const [again, before] = [await linked("replica 2", 2, [membersOf(0, 1, 2)]), zero];
    expect(before.links.peers).to.have.length(1);
    await again.links.close("seen enough");
  });

  it("are dialed anew when the own key has changed: the others take it for nobody by the old one", async () => {
    const first = membersOf(0, 1);
    const second = [memberOf(0, "replica 0 anew"), memberOf(1)];
    // Nobody is to be found in another way.
    const options = { lostTouchMs: 60_000 };
    const zero = await linked("replica 0", 0, [first], options);
    const one = await linked("replica 1", 1, [first], options);
    expect(await says(zero, one, 1, 41)).to.equal(0);
    zero.held = ["replica 0 anew"];
    for (const replica of [zero, one]) replica.turn(second);
    expect(await says(zero, one, 1, 42)).to.equal(0);
    expect(await says(one, zero, 0, 43)).to.equal(1);
  });

  /** A holder of a key that says that it is replica 0, at replica 1. */
  class Claimed {
    readonly ups = new EventLog<FramedLink>();
    readonly frames = new EventLog<ReplicaFrame>();
    readonly ends = new EventLog<string>();

    constructor(name: string) {
      dialed.push(
        dial({
          address: `127.0.0.1:${ports[1]}`,
          expected: { role: "replica", id: replicaId(1), publicKey: keyOf("replica 1") },
          endpoint: endpointOf({ role: "replica", id: replicaId(0), publicKey: keyOf(name) }, seedOf(name)),
          limits: CLIENT_DIAL_LIMITS,
          backOff: { firstMs: 60_000, longestMs: 60_000 },
          onUp: (up) => this.ups.add(up),
          onFrame: (bytes) => {
            const decoded = codec.decodeReplicaFrame(new Uint8Array(bytes));
            if (decoded.ok) this.frames.add(decoded.value);
          },
          onDown: ({ code }) => this.ends.add(code),
        }),
      );
    }

    async says(by: Linked, said: ReplicaFrame, mark: number): Promise<ReplicaId> {
      const up = await this.ups.nth(1);
      return (await heardFrom(() => up.send(codec.encodeReplicaFrame(said)), by, mark)).from;
    }
  }

  it("under the key that a member had before get and say nothing of it, and end with its next one", async () => {
    const second = [memberOf(0, "replica 0 anew"), memberOf(1)];
    const options = { lostTouchMs: 60_000 };
    const one = await linked("replica 1", 1, [membersOf(0, 1), second], options);
    const thief = new Claimed("replica 0");

    // It may be the member, which has not heard of the epoch: it is heard as somebody, and answered as that.
    const somebody = await thief.says(one, frameOf(1, 44), 44);
    expect(somebody).to.satisfy(isObserverPeer);
    expect(await thief.says(one, frame(45), 45)).to.equal(somebody);
    one.links.sendToReplica(replicaId(0), frame(46));
    one.links.sendToReplica(somebody, frame(47));
    expect(await thief.frames.nth(1)).to.deep.equal(frame(47));
    expect(one.links.peers[0]?.isConnected).to.equal(false);

    const zero = await linked("replica 0 anew", 0, [membersOf(0, 1), second], options);
    expect(await says(one, zero, 0, 48)).to.equal(1);
    expect(await thief.ends.nth(1)).to.equal("link.closed");
    expect(await new Claimed("replica 0").ends.nth(1)).to.equal("hello.wrong-key");
    expect(await says(zero, one, 1, 49)).to.equal(0);
    expect(await says(one, zero, 0, 50)).to.equal(1);
    expect(thief.frames.events).to.have.length(1);
  });

  it("under the key of the epoch that a replica is still in are its member's in that, and in no later one", async () => {
    const second = [memberOf(0, "replica 0 anew"), memberOf(1)];
    let epoch = 0;
    const options = { lostTouchMs: 60_000, epoch: () => epochNumber(epoch) };
    const one = await linked("replica 1", 1, [membersOf(0, 1), second], options);
    const behind = new Claimed("replica 0");
    expect(await behind.says(one, frameOf(0, 51), 51)).to.equal(0);
    expect(await behind.says(one, frame(52), 52)).to.equal(0);
    expect(await behind.says(one, frameOf(1, 53), 53)).to.satisfy(isObserverPeer);
    one.links.sendToReplica(replicaId(0), frameOf(0, 54));
    expect(await behind.frames.nth(1)).to.deep.equal(frameOf(0, 54));

    epoch = 1;
    expect(await behind.says(one, frame(55), 55)).to.satisfy(isObserverPeer);
    one.links.sendToReplica(replicaId(0), frameOf(1, 56));
    one.links.sendToReplica(await behind.says(one, frame(57), 57), frame(58));
    expect(await behind.frames.nth(2)).to.deep.equal(frame(58));
  });

  it("under the key that a replica itself had before are nobody's", async () => {
    const second = [memberOf(0), memberOf(1, "replica 1 anew")];
    const options = { lostTouchMs: 60_000, epoch: () => epochNumber(0) };
    const one = new Linked("replica 1", ports[1]!, [membersOf(0, 1), second], options);
    one.held = ["replica 1 anew", "replica 1"];
    open.push(one);
    await one.links.open();
    const ups = new EventLog<FramedLink>();
    dialAsObserver("replica 1", ports[1], (up) => ups.add(up));
    const up = await ups.nth(1);
    const say = (): boolean => up.send(codec.encodeReplicaFrame(frameOf(0, 59)));
    expect((await heardFrom(say, one, 59)).from).to.satisfy(isObserverPeer);
  });

  it("under the key of the epoch before are told that there is more to know", async () => {
    const second = [memberOf(0, "replica 0 anew"), memberOf(1)];
    await linked("replica 1", 1, [membersOf(0, 1), second]);
    expect(await new Claimed("replica 0").frames.nth(1)).to.deep.equal(frame(1));
  });

  it("lead an observer by its addresses to whoever is there, and one replica has one number", async () => {
    const now = [memberOf(0, "replica 9"), memberOf(1)];
    const member = await linked("replica 9", 0, [membersOf(0, 1), now]);
    const peers = [member.address, `localhost:${ports[0]}`];
    const observer = await linked("spare", 4, [membersOf(1, 2)], { peers });

    // Nobody whom it knows: it asks for the epochs that may say who that is.
    const asking = (await member.heard.nth(1)).from;
    expect(asking).to.satisfy(isObserverPeer);
    expect(member.heard.events[0]?.epoch).to.equal(0);
    member.links.sendToReplica(asking, { type: "epoch-links", links: [] });
    expect(await observer.answers.nth(1)).to.satisfy(isObserverPeer);
    observer.turn(now);
    const { from: known } = await heardFrom(() => member.links.sendToObservers(frame(52)), observer, 52);
    expect(known).to.equal(0);
    expect(await says(observer, member, 0, 53)).to.satisfy(isObserverPeer);
    expect(member.links.observerCount).to.equal(1);
  });

  it("of an observer that has become a member count as that member's, until it is dialed", async () => {
    const first = membersOf(0, 1);
    const second = [...first, memberOf(4, "spare")];
    const zero = await linked("replica 0", 0, [first]);
    const spare = await linked("spare", 4, [first]);
    expect(await says(spare, zero, 0, 61)).to.satisfy(isObserverPeer);

    // The joiner knows first: it is an observer to the other one.
    spare.turn(second);
    expect(await says(spare, zero, 0, 62)).to.satisfy(isObserverPeer);
    zero.turn(second);
    expect(await says(spare, zero, 0, 63)).to.equal(4);
    expect(await says(zero, spare, 4, 64)).to.equal(0);
    await heardFrom(() => spare.links.sendToReplica(replicaId(0), frame(65)), zero, 65);
    while (zero.links.observerCount > 0) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await says(zero, spare, 4, 66)).to.equal(0);
    expect(await says(spare, zero, 0, 67)).to.equal(4);
  });

  it("of a member that the others know first are taken by it under that name", async () => {
    const first = membersOf(0, 1);
    const second = [...first, memberOf(4, "spare")];
    const [zero, spare] = [await linked("replica 0", 0, [first, second]), await linked("spare", 4, [first])];
    expect(await says(zero, spare, 4, 71)).to.equal(0);
    expect(await says(spare, zero, 0, 72)).to.equal(4);
  });

  it("are found again by a member that the others take for nobody any more", async () => {
    const [first, second, third] = [membersOf(0, 1, 2), membersOf(0, 1), membersOf(0, 1, 3)];
    const zero = await linked("replica 0", 0, [first, second, third]);
    const two = await linked("replica 2", 2, [first]);
    const { from } = await heardFrom(() => two.links.sendToReplica(replicaId(0), frame(81)), zero, 81);
    expect(isObserverPeer(from)).to.equal(true);
    expect((await heardFrom(() => zero.links.sendToReplica(from, frame(82)), two, 82)).from).to.equal(0);
  });

  it("of an observer are with all members, however many there are, beside those of other observers", async () => {
    const heard = new EventLog<ReplicaId>();
    const members: Member[] = [];
    for (let id = 0; id < OBSERVER_LINKS_MAX + 4; id++) {
      const identity = { role: "replica", id: replicaId(id), publicKey: keyOf(`replica ${id}`) } as const;
      const listener = await listen({
        address: { host: "127.0.0.1", port: 0 },
        endpoint: endpointOf(identity, seedOf(`replica ${id}`)),
        memberKeysOf: () => [],
        isObserverAdmitted: () => true,
        onLink: (_peer, link) => {
          link.send(codec.encodeReplicaFrame(frame(id)));
          return { onFrame: () => undefined, onDown: () => undefined };
        },
      });
      listeners.push(listener);
      members.push({ ...memberOf(id), address: `127.0.0.1:${listener.address.port}` });
    }
    const onReplicaFrame = (from: ReplicaId): boolean => {
      heard.add(from);
      return true;
    };
    const events = { onReplicaFrame, onClientFrame: () => true, welcome: () => refusal };
    const spare = await linked("spare", 4, [members], { events });
    await heard.nth(members.length);
    expect(new Set(heard.events)).to.deep.equal(new Set(members.map(({ id }) => id)));
    expect(spare.links.peers.every(({ isConnected }) => isConnected)).to.equal(true);

    for (let i = 0; i < OBSERVER_LINKS_MAX; i++) dialAsObserver(`observer ${i}`, ports[4], (up) => up.send(said));
    await heard.nth(members.length + OBSERVER_LINKS_MAX);
    expect(spare.links.observerCount).to.equal(OBSERVER_LINKS_MAX);
  });

  const said = codec.encodeReplicaFrame(frame(0));
  const refusal = { type: "refused", requestDigest: requestOf("a").digest, code: "overloaded" } as const;

  function dialAsObserver(
    name: string,
    port: number | undefined,
    onUp: (up: FramedLink) => void,
    onDown: (code: string) => void = () => undefined,
  ): void {
    dialed.push(
      dial({
        address: `127.0.0.1:${port}`,
        expected: "any-replica",
        endpoint: endpointOf({ role: "observer", publicKey: keyOf(name) }, seedOf(name)),
        limits: CLIENT_DIAL_LIMITS,
        backOff: { firstMs: 60_000, longestMs: 60_000 },
        onUp,
        onFrame: () => undefined,
        onDown: ({ code }) => onDown(code),
      }),
    );
  }

  it("of observers are as many as the bound says, and none where nobody admits them", async () => {
    const members = membersOf(0, 1);
    const zero = await linked("replica 0", 0, [members]);
    const ends = new EventLog<string>();
    const dialAs = (name: string, port = ports[0]): void =>
      dialAsObserver(
        name,
        port,
        () => undefined,
        (code) => ends.add(code),
      );
    for (let i = 0; i <= OBSERVER_LINKS_MAX; i++) dialAs(`observer ${i}`);
    expect(await ends.nth(1)).to.equal("link.observer-links");
    expect(zero.links.observerCount).to.equal(OBSERVER_LINKS_MAX);

    await linked("replica 1", 1, [members], { isClientAdmitted: (key) => key === keyOf("listed") });
    dialAs("spare", ports[1]);
    expect(await ends.nth(2)).to.equal("hello.not-admitted");
  });

  for (const [when, epochs] of [
    ["its new one has been in force for two epochs", ["anew", "anew"]],
    ["its new one is not in force yet", []],
  ] as const)
    it(`let a member in that was away, knows two keys, and does not know that ${when}, where clients are listed`, async () => {
      // Nobody finds it where it is said to listen, or else it would be dialed, and by the right key.
      const first = [memberOf(0), memberOf(1, "replica 1", ports[7])];
      const later = epochs.map((name) => [memberOf(0), memberOf(1, `replica 1 ${name}`, ports[7])]);
      const admitted = (later.at(-1) ?? first).map(({ publicKey }) => publicKey);
      const zero = await linked("replica 0", 0, [first, ...later], {
        isClientAdmitted: (key) => admitted.includes(key),
      });
      const one = new Linked("replica 1", ports[1]!, [first]);
      open.push(one);
      one.held = ["replica 1", "replica 1 anew"];
      await one.links.open();
      expect(await says(one, zero, 0, 71)).to.equal(1);
    });

  function endpointOf(identity: LinkIdentity, seed: Uint8Array): Endpoint {
    return {
      cluster,
      credentials: {
        identity,
        sign: (preimage) => backend.sign(seed, preimage),
        verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
        isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
      },
      randomBytes: (length) => new Uint8Array(length).map(() => Math.floor(Math.random() * 256)),
    };
  }

  /** Why the link of a client ends that sends these bytes. */
  async function endAfter(bytes: Uint8Array): Promise<string> {
    const { address } = await linked("replica 3", 3, [membersOf(3)]);
    const client = { role: "client", publicKey: keyOf("client") } as const;
    return new Promise((resolve) => {
      dialed.push(
        dial({
          address,
          expected: "any-replica",
          endpoint: endpointOf(client, seedOf("client")),
          limits: CLIENT_DIAL_LIMITS,
          onUp: (up) => up.send(bytes),
          onFrame: () => undefined,
          onDown: ({ message }) => resolve(message),
        }),
      );
    });
  }

  it("counts what it has for a client that is gone", () => {
    const { links } = new Linked("replica 3", 0, [membersOf(3)]);
    const refused = { type: "refused", requestDigest: requestOf("a").digest, code: "overloaded" } as const;
    for (let i = 0; i < 2; i++) links.sendToClient(keyOf("client"), refused);
    expect(links.counts.clientFramesDropped).to.deep.equal({ gone: 2, "not-taken": 0 });
  });

  it("tells a client which limit of genesis its request passes, when it closes the link for it", async () => {
    const { limits } = genesis;
    const generous = createCodec(
      wireLimitsOf({ ...genesis, limits: { ...limits, requestBytesMax: 2 * limits.requestBytesMax } }),
    );
    const request: OperationsRequest = {
      ...(requestOf("a").request as OperationsRequest),
      operations: [new Uint8Array(limits.requestBytesMax), new Uint8Array(1)],
    };

    const reason = await endAfter(generous.encodeClientFrame({ type: "request", request }));

    const max = limits.requestBytesMax;
    expect(reason).to.match(/too-(many|large) at /);
    expect(reason).to.include(`at most ${max} bytes in all, got ${max + 1}`);
  });
});
