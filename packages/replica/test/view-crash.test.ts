import { type Envelope, type NewView, proposalsOf, type ReplicaMessage } from "@quorate/protocol";
import { expect } from "chai";
import { assert, integer, property, record } from "fast-check";
import { Cluster, Node, type Packet, requestOf, VIEW_CHANGE_MS } from "./builders.ts";

/** Everything that each replica ever signed to be held to, by its place: two contents at one place break a promise. */
class Promises {
  readonly #said = new Map<string, string>();
  readonly #leftFor = new Map<number, number>();

  hear({ from, frame }: Packet): void {
    if (frame.type === "view-change") this.#keep(frame.viewChange.envelope.from, frame.viewChange.envelope.message);
    if (frame.type === "new-view") this.#keepAll(frame.newView.envelope);
    if (frame.type !== "signed" && frame.type !== "pre-prepare") return;
    if (frame.envelope.from === from) this.#keep(from, frame.envelope.message);
  }
  get views(): number {
    return Math.max(0, ...this.#leftFor.values());
  }

  /** A NEW-VIEW says the PRE-PREPAREs of what it proposes again. */
  #keepAll({ from, message }: Envelope<NewView>): void {
    const { epoch, view } = message;
    this.#keep(from, message);
    for (const proposal of proposalsOf(message)) {
      const { seq, digest } = proposal;
      this.#keep(from, { type: "pre-prepare", epoch, view, seq, digest });
    }
  }

  #keep(from: number, message: ReplicaMessage): void {
    const place = placeOf(message);
    if (place === undefined) return;
    const content = JSON.stringify(Object.entries(message).sort());
    const before = this.#said.get(`${from} ${place}`);
    expect(before ?? content, `replica ${from}, ${place}`).to.equal(content);
    // What is said for the first time is of no view that a VIEW-CHANGE of before has left.
    const isNew = before === undefined;
    if (isNew && "view" in message && message.type !== "view-change")
      expect(message.view, `replica ${from}, ${place}`).to.be.at.least(this.#leftFor.get(from) ?? 0);
    if (message.type === "view-change") this.#leftFor.set(from, Math.max(message.view, this.#leftFor.get(from) ?? 0));
    this.#said.set(`${from} ${place}`, content);
  }
}

function placeOf(message: ReplicaMessage): string | undefined {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return `${message.type} ${message.view} ${message.seq}`;
    case "view-change":
    case "new-view":
      return `${message.type} ${message.view}`;
    case "checkpoint":
      return `checkpoint ${message.seq}`;
    default:
      return undefined;
  }
}

interface Run {
  readonly salt: number;
  /** Of 100 packets, how many are lost. */
  readonly lossPercent: number;
  /** A crash at every so many steps. */
  readonly crashEvery: number;
  /** A time-out at one replica at every so many steps. */
  readonly timeOutEvery: number;
}

/** Four replicas of which packets are lost and reordered, which crash and whose time-outs end at any time. */
class RestlessCluster extends Cluster {
  readonly promises = new Promises();
  readonly #next: () => number;
  readonly #run: Run;
  #asked = 0;

  constructor(run: Run) {
    super();
    this.#run = run;
    let state = run.salt;
    this.#next = () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state >>> 8;
    };
    for (const { id } of this.nodes) this.nodes[id] = new Node(id, this.record);
  }

  /** What is sent is on record in the order in which it was sent. */
  readonly record = (packet: Packet): void => {
    this.promises.hear(packet);
    this.emit(packet);
  };

  restless(steps: number): this {
    const { crashEvery, timeOutEvery } = this.#run;
    for (let at = 1; at <= steps; at++) {
      if (at % 25 === 0) this.#some().request(requestOf(`${this.#asked++}`));
      if (this.#next() % 3 === 0) this.#some().flush();
      if (at % crashEvery === 0) this.#crash(this.#some(), this.#next() % 2 === 0);
      if (at % timeOutEvery === 0) this.#timeOut(this.#some());
      if (at % 60 === 0) for (const node of this.nodes) node.fire("status");
      this.#deliver();
      this.agree();
    }
    return this;
  }
  /** Nothing is lost any more and time passes: the work that waits is done. */
  settle(): this {
    for (let round = 0; round < 60; round++) {
      this.tick(2);
      for (const node of this.nodes) {
        node.nowMs += VIEW_CHANGE_MS;
        node.fire("progress");
        node.fire("fetch");
        if (round % 8 === 7) node.fire("view-change");
      }
      this.run();
      this.agree();
    }
    return this;
  }
  /** No two replicas ever execute different batches at one number. */
  agree(): void {
    const [longest] = this.nodes.map(({ disk }) => disk.executed).sort((a, b) => b.length - a.length);
    for (const { id, disk } of this.nodes)
      expect(disk.executed, `replica ${id}`).to.deep.equal(longest!.slice(0, disk.executed.length));
  }

  #some(): Node {
    return this.at(this.#next() % 4);
  }
  #deliver(): void {
    const [packet] = this.packets.splice(this.#next() % Math.max(1, this.packets.length), 1);
    if (packet !== undefined && this.#next() % 100 >= this.#run.lossPercent) this.at(packet.to).receive(packet);
  }
  #timeOut(node: Node): void {
    node.nowMs += 8 * VIEW_CHANGE_MS;
    node.fire("progress");
    node.fire("view-change");
  }
  #crash(node: Node, isFlushed: boolean): void {
    if (isFlushed) node.flush();
    this.nodes[node.id] = new Node(node.id, this.record, node.durable());
    this.at(node.id).nowMs = node.nowMs;
  }
}

describe("over several views, with loss, reordering, crashes and time-outs (protocol rules 7 and 8)", () => {
  it("no replica breaks a promise, no two execute differently, and all end alike", () => {
    let views = 0;
    assert(
      property(
        record({
          salt: integer({ min: 1, max: 1e6 }),
          lossPercent: integer({ min: 0, max: 30 }),
          crashEvery: integer({ min: 15, max: 200 }),
          timeOutEvery: integer({ min: 10, max: 80 }),
        }),
        (run) => {
          const cluster = new RestlessCluster(run).restless(500).settle();
          views = Math.max(views, cluster.promises.views);
          expect(new Set(cluster.executed).size, `executed ${cluster.executed.join()}`).to.equal(1);
          expect(cluster.executed[0]).to.be.greaterThan(0);
        },
      ),
      { numRuns: 25, seed: 1999 },
    );
    expect(views, "views were changed more than once").to.be.greaterThan(2);
  });
});

describe("a crash at each flush of a view change (protocol rules 7.1 and 8.1)", () => {
  /** Replica 0 is silent; the others change to view 1; the one that crashes does so at its n-th flush. */
  function crashAtFlush(id: number, flush: number): { readonly crashed: boolean; readonly cluster: RestlessCluster } {
    const cluster = new RestlessCluster({ salt: 1, lossPercent: 0, crashEvery: 1e9, timeOutEvery: 1e9 });
    cluster.isLost = ({ from, to }) => from === 0 || to === 0;
    cluster.request("waits");
    for (const node of cluster.nodes.slice(1)) {
      node.nowMs += VIEW_CHANGE_MS;
      node.fire("progress");
    }
    let flushes = 0;
    let crashed = false;
    const deliverOne = (): boolean => {
      const packet = cluster.packets.shift();
      if (packet !== undefined && !cluster.isLost(packet)) cluster.at(packet.to).receive(packet);
      return packet !== undefined;
    };
    do {
      for (const node of cluster.nodes.slice(1)) {
        if (node.id === id && ++flushes === flush) {
          crashed = true;
          cluster.nodes[id] = new Node(id, cluster.record, node.durable());
          cluster.at(id).nowMs = node.nowMs;
        } else node.flush();
      }
    } while (deliverOne());
    return { crashed, cluster };
  }

  for (const id of [1, 2])
    it(`of ${id === 1 ? "the new primary" : "a backup"}: it says nothing else than before, and the view comes`, () => {
      let flush = 1;
      for (; ; flush++) {
        const { crashed, cluster } = crashAtFlush(id, flush);
        cluster.request("after").settle();
        cluster.isLost = () => false;
        cluster.settle();
        expect(new Set(cluster.executed).size, `flush ${flush}: ${cluster.executed.join()}`).to.equal(1);
        if (!crashed) break;
      }
      expect(flush).to.be.greaterThan(5);
    });
});
