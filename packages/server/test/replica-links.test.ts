import { type AddressInfo, createServer } from "node:net";
import { createCodec, wireLimitsOf } from "@quorate/codec";
import {
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
import { CLIENT_DIAL_LIMITS, dial, type Endpoint, type PersistentLink } from "@quorate/transport";
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

interface Heard {
  readonly from: ReplicaId;
  readonly epoch: number;
}

/** A replica that has nothing but links: what it holds, what it knows, and what it has heard. */
class Linked {
  readonly name: string;
  readonly address: string;
  readonly heard = new EventLog<Heard>();
  /** Whose links of the epoch chain have come, though nobody knows them here. */
  readonly strangers = new EventLog<ReplicaId>();
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
      listen: this.address,
      peers: [],
      codec,
      events: {
        onReplicaFrame: (from, heard) => {
          if (heard.type === "fetch-epochs") this.heard.add({ from, epoch: heard.fetch.above });
          return true;
        },
        onStrangersLinks: (from) => {
          this.strangers.add(from);
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
  let ports: number[] = [];
  before(async () => {
    ports = await Promise.all(Array.from({ length: 8 }, freePort));
  });
  afterEach(async () => {
    for (const link of dialed.splice(0)) link.close("end of test");
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

  it("are dialed anew when the own key has changed: the others take no other any more", async () => {
    const first = membersOf(0, 1);
    const second = [memberOf(0, "replica 0 anew"), memberOf(1)];
    const [zero, one] = [await linked("replica 0", 0, [first]), await linked("replica 1", 1, [first])];
    expect(await says(zero, one, 1, 41)).to.equal(0);
    zero.held = ["replica 0 anew"];
    for (const replica of [zero, one]) replica.turn(second);
    const third = [...second, memberOf(3)];
    for (const replica of [zero, one]) replica.turn(third);
    expect(await says(zero, one, 1, 42)).to.equal(0);
  });

  it("lead an observer by its addresses to whoever is there, and one replica has one number", async () => {
    const now = [memberOf(0, "replica 9"), memberOf(1)];
    const member = await linked("replica 9", 0, [membersOf(0, 1), now]);
    const peers = [member.address, `localhost:${ports[0]}`];
    const observer = await linked("spare", 4, [membersOf(1, 2)], { peers });

    // Nobody whom it knows: it asks for the epochs that may say who that is, and hears nothing else.
    const asking = (await member.heard.nth(1)).from;
    expect(asking).to.satisfy(isObserverPeer);
    expect(member.heard.events[0]?.epoch).to.equal(0);
    member.links.sendToReplica(asking, frame(51));
    member.links.sendToReplica(asking, { type: "epoch-links", links: [] });
    expect(await observer.strangers.nth(1)).to.satisfy(isObserverPeer);
    expect(observer.heard.events).to.deep.equal([]);
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

  it("of observers are as many as the bound says, and none where nobody admits them", async () => {
    const members = membersOf(0, 1);
    const zero = await linked("replica 0", 0, [members]);
    const ends = new EventLog<string>();
    const dialAs = (name: string, port = ports[0]): void => {
      dialed.push(
        dial({
          address: `127.0.0.1:${port}`,
          expected: "any-replica",
          endpoint: endpointOf({ role: "observer", publicKey: keyOf(name) }, seedOf(name)),
          limits: CLIENT_DIAL_LIMITS,
          backOff: { firstMs: 60_000, longestMs: 60_000 },
          onFrame: () => undefined,
          onDown: ({ code }) => ends.add(code),
        }),
      );
    };
    for (let i = 0; i <= OBSERVER_LINKS_MAX; i++) dialAs(`observer ${i}`);
    expect(await ends.nth(1)).to.equal("link.observer-links");
    expect(zero.links.observerCount).to.equal(OBSERVER_LINKS_MAX);

    await linked("replica 1", 1, [members], { isClientAdmitted: (key) => key === keyOf("listed") });
    dialAs("spare", ports[1]);
    expect(await ends.nth(2)).to.equal("hello.not-admitted");
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
