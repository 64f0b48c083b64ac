import { EPOCH_LINKS_MAX, type EpochLink, epochNumber, type ReplicaFrame, replicaId } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { EpochExchange } from "../dist/epoch-exchange.js";
import { readEpochs } from "../dist/epoch-records.js";
import { clientOf, cluster, codec, genesis, hasher, newScript, newVerifier } from "./builders.ts";
import { ManualTimer } from "./manual-timer.ts";

/** What one peer, or client, may be given at once, and then in what time one more. */
const [SERVED, SERVED_REFILL_MS] = [16, 50];
const [CLIENT_SERVED, CLIENT_REFILL_MS] = [32, 1_000 / 32];
const [TWO, THREE] = [replicaId(2), replicaId(3)];

function idleEpochs(count: number): ScriptedEpochs {
  const epochs = newScript();
  epochs.idle(count);
  return epochs;
}

/** A replica that knows some epochs, and what it says of them. */
class Scene {
  readonly epochs: EpochChain;
  readonly exchange: EpochExchange;
  readonly store: MemoryStore = createMemoryStore();
  readonly rejected: string[] = [];
  readonly sent: (readonly [to: number, frame: ReplicaFrame])[] = [];
  readonly toClients: (readonly EpochLink[])[] = [];
  readonly timer = new ManualTimer();
  /** What an answer to a client takes. */
  tookMs = 0;

  constructor(epochs: EpochChain) {
    this.epochs = epochs;
    this.exchange = new EpochExchange({
      epochs,
      store: this.store,
      codec,
      ports: {
        nowMs: () => 0,
        monotonicMs: () => this.timer.nowMs,
        sendToReplica: (to, frame) => this.sent.push([to, frame]),
        sendToReplicas: () => undefined,
        sendToObservers: () => undefined,
        sendToClient: (_client, frame) => {
          if (frame.type === "epoch-links") this.toClients.push(frame.links);
          this.timer.nowMs += this.tookMs;
        },
        ...this.timer.ports,
      },
      observer: { onRejection: ({ code, from }) => this.rejected.push(`${code} of ${from}`), onFatal: () => undefined },
    });
  }

  /** A client asks so many times, each time when it was answered; @returns how often it was. */
  tells(times: number, client: string, above = 0): number {
    const before = this.toClients.length;
    for (let i = 0; i < times; i++) {
      this.exchange.onClient(clientOf(client).publicKey, epochNumber(above));
      while (this.timer.go());
    }
    return this.toClients.length - before;
  }
  answers(times: number, peer = TWO, above = 0): number {
    const before = this.sent.length;
    for (let i = 0; i < times; i++) this.exchange.answer(peer, epochNumber(above));
    return this.sent.length - before;
  }
  asks(times: number, peer = TWO): number {
    const before = this.sent.length;
    for (let i = 0; i < times; i++) this.exchange.ask(peer);
    return this.sent.length - before;
  }
  /** Above which epochs it has asked, and whom. */
  get asked(): (readonly [to: number, above: number])[] {
    return this.sent.flatMap(([to, frame]) =>
      frame.type === "fetch-epochs" ? [[to, frame.fetch.above] as const] : [],
    );
  }
  /** What a restart would know. */
  get noted(): number {
    return readEpochs(this.store.local, { genesis, codec, hasher, cluster, verifier: newVerifier() }).epoch;
  }
}

describe("links for those who are behind (protocol rules 11.3 and 13.1)", () => {
  it("are those above the epoch that they are in, as many as one answer has", () => {
    const epochs = idleEpochs(EPOCH_LINKS_MAX + 2);
    const scene = new Scene(epochs.chainAt(EPOCH_LINKS_MAX + 2));
    scene.answers(1);
    scene.answers(1, THREE, 5);
    expect(scene.sent).to.deep.equal([
      [2, { type: "epoch-links", links: epochs.links.slice(0, EPOCH_LINKS_MAX) }],
      [3, { type: "epoch-links", links: epochs.links.slice(5) }],
    ]);
  });

  it("are not sent where there are none, which costs nothing of the share", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    expect(scene.answers(100, TWO, 1)).to.equal(0);
    expect([scene.answers(SERVED), scene.rejected]).to.deep.equal([SERVED, []]);
  });

  it("are asked of whoever asks for those above what is known here, as rarely as of anybody who is ahead", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    expect(scene.answers(100, TWO, 7)).to.equal(1);
    expect(scene.asked).to.deep.equal([[2, 1]]);
  });

  it("are a share for each peer, and one more after a while", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    expect(scene.answers(SERVED + 3)).to.equal(SERVED);
    expect(scene.rejected).to.deep.equal(Array(3).fill("epochs.over-budget of 2"));
    expect(scene.answers(1, THREE), "another's").to.equal(1);
    scene.timer.nowMs += SERVED_REFILL_MS - 1;
    expect(scene.answers(1)).to.equal(0);
    scene.timer.nowMs += 1;
    expect(scene.answers(2)).to.equal(1);
  });

  it("are told to clients, also that there are none", () => {
    const epochs = idleEpochs(2);
    const scene = new Scene(epochs.chainAt(2));
    for (const above of [0, 1, 2]) scene.tells(1, "client", above);
    expect(scene.toClients).to.deep.equal([epochs.links, epochs.links.slice(1), []]);
  });

  it("are a share for each client, of which none takes anything from another, nor from peers", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    expect(scene.tells(10 * CLIENT_SERVED, "greedy")).to.equal(CLIENT_SERVED);
    expect(scene.tells(2, "another")).to.equal(2);
    expect(scene.answers(1)).to.equal(1);
    scene.timer.nowMs += CLIENT_REFILL_MS;
    expect(scene.tells(5, "greedy")).to.equal(1);
  });

  it("are for those who have asked within their share: whoever has not holds no place before them", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    scene.tells(CLIENT_SERVED, "greedy");
    for (const client of ["greedy", "another"]) scene.exchange.onClient(clientOf(client).publicKey, epochNumber(0));
    scene.timer.go();
    expect(scene.toClients.length).to.equal(CLIENT_SERVED + 1);
  });

  it("are told to one client a turn, with a rest, however many ask; nobody is told any when the replica stops", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    scene.tookMs = 3;
    for (let i = 0; i < 40; i++) scene.exchange.onClient(clientOf(`client ${i}`).publicKey, epochNumber(0));
    expect(scene.toClients).to.have.length(0);
    const times: number[] = [];
    while (times.length < 3 && scene.timer.go()) times.push(scene.timer.nowMs);
    expect([scene.toClients.length, times]).to.deep.equal([3, [3, 12, 21]]);
    scene.exchange.stop();
    expect(scene.timer.go()).to.equal(false);
  });
});

describe("links from those who are ahead (protocol rule 11.3)", () => {
  it("are asked for above what is known, once of each peer in an interval", () => {
    const scene = new Scene(idleEpochs(1).chainAt(1));
    expect(scene.asks(5)).to.equal(1);
    expect(scene.asks(5, THREE)).to.equal(1);
    scene.timer.nowMs += 49;
    expect(scene.asks(1)).to.equal(0);
    scene.timer.nowMs += 1;
    expect(scene.asks(5)).to.equal(1);
    expect(scene.asked).to.deep.equal([
      [2, 1],
      [3, 1],
      [2, 1],
    ]);
  });

  it("make the chain grow, here and beside the state", () => {
    const epochs = idleEpochs(3);
    const scene = new Scene(epochs.chainAt(0));
    expect(scene.exchange.onLinks(TWO, epochs.links)).to.equal(true);
    expect([scene.epochs.epoch, scene.noted, scene.sent, scene.rejected]).to.deep.equal([3, 3, [], []]);
  });

  it("are no news when they are known, and no harm when one between is missing", () => {
    const epochs = idleEpochs(3);
    const scene = new Scene(epochs.chainAt(1));
    expect(scene.exchange.onLinks(TWO, []), "none").to.equal(false);
    expect(scene.exchange.onLinks(TWO, epochs.links.slice(0, 1)), "known").to.equal(false);
    expect(scene.exchange.onLinks(TWO, epochs.links.slice(2)), "a gap").to.equal(false);
    expect([scene.epochs.epoch, scene.rejected, scene.store.disk.unflushedGroups]).to.deep.equal([1, [], 0]);
  });

  it("are junk where one is forged: what comes before it is kept, and nothing after it", () => {
    const epochs = newScript();
    epochs.rotateKey(replicaId(0));
    const forged = epochs.linkTo({ windowSize: 128 }, { keysOf: 0 });
    epochs.idle(1);
    const [first, second] = epochs.links;
    const scene = new Scene(epochs.chainAt(0));
    expect(scene.exchange.onLinks(THREE, [first!, forged, second!])).to.equal("junk");
    expect(scene.rejected).to.deep.equal(["epochs.bad-link of 3"]);
    expect([scene.epochs.epoch, scene.noted]).to.deep.equal([1, 1]);
    expect(scene.exchange.onLinks(TWO, [second!]), "the true one").to.equal(true);
    expect([scene.epochs.epoch, scene.noted]).to.deep.equal([2, 2]);
  });

  it("are asked for on after a full answer, of whom it came from, and not after one that is not", () => {
    const epochs = idleEpochs(2 * EPOCH_LINKS_MAX - 1);
    const scene = new Scene(epochs.chainAt(0));
    scene.exchange.onLinks(THREE, epochs.links.slice(0, EPOCH_LINKS_MAX));
    expect(scene.asked).to.deep.equal([[3, EPOCH_LINKS_MAX]]);
    scene.exchange.onLinks(THREE, epochs.links.slice(EPOCH_LINKS_MAX));
    expect([scene.asked.length, scene.epochs.epoch]).to.deep.equal([1, 2 * EPOCH_LINKS_MAX - 1]);
  });

  it("are not asked for on after a full answer that says nothing new: else two could go on for ever", () => {
    const epochs = idleEpochs(EPOCH_LINKS_MAX);
    const scene = new Scene(epochs.chainAt(EPOCH_LINKS_MAX));
    expect(scene.exchange.onLinks(THREE, epochs.links)).to.equal(false);
    expect(scene.asked).to.deep.equal([]);
  });
});
