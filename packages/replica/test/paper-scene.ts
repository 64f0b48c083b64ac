import {
  type Digest,
  type LogRecord,
  type NewView,
  type ReplicaFrame,
  type TimerName,
  type VerifiedBatch,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChange,
  viewNumber,
} from "@quorate/protocol";
import { type Disk, envelopeOf, epoch, Node, type Packet, requestOf, seqOf } from "./builders.ts";
import { batchOf, newViewOf, type Promised, primary, rootOf, viewChangeOf } from "./paper-messages.ts";

export interface Place {
  readonly seq?: number;
  readonly view?: number;
}

/** One replica among three others that the test plays; what it writes is durable at once, unless it says otherwise. */
export class Lone {
  readonly node: Node;
  readonly packets: Packet[] = [];
  isFlushing = true;

  /** @param disk what a crash has left, for a replica that starts again. */
  constructor(self = 1, disk?: Disk) {
    this.node = new Node(self, (packet) => this.packets.push(packet), disk);
    this.node.flush();
    this.forget();
  }

  hear(from: number, frame: ReplicaFrame): this {
    this.node.receive({ from, to: this.node.id, frame });
    if (this.isFlushing) this.node.flush();
    return this;
  }
  request(label: string): this {
    this.node.request(requestOf(label));
    if (this.isFlushing) this.node.flush();
    return this;
  }
  /** A proposal of the view's primary, unless `from` says otherwise. */
  prePrepare(batch: VerifiedBatch, { seq = 1, view = 0, from = primary(view) }: Place & { from?: number } = {}): this {
    const envelope = envelopeOf(from, {
      type: "pre-prepare",
      epoch,
      view: viewNumber(view),
      seq: seqOf(seq),
      digest: batch.digest,
    });
    return this.hear(from, { type: "pre-prepare", envelope, batch: batch.batch });
  }
  prepares(ids: readonly number[], { digest }: { digest: Digest }, { seq = 1, view = 0 }: Place = {}): this {
    const message = { type: "prepare", epoch, view: viewNumber(view), seq: seqOf(seq), digest } as const;
    for (const id of ids) this.hear(id, { type: "signed", envelope: envelopeOf(id, message) });
    return this;
  }
  commits(ids: readonly number[], { digest }: { digest: Digest }, { seq = 1, view = 0 }: Place = {}): this {
    const message = { type: "commit", epoch, view: viewNumber(view), seq: seqOf(seq), digest } as const;
    for (const id of ids) this.hear(id, { type: "signed", envelope: envelopeOf(id, message) });
    return this;
  }
  /** The batch goes through all phases. */
  decide(batch: VerifiedBatch, place: Place = {}, without?: number): this {
    const { view = 0 } = place;
    const others = [0, 1, 2, 3].filter((id) => id !== this.node.id && id !== without);
    const backups = others.filter((id) => id !== primary(view));
    return this.prePrepare(batch, place).prepares(backups, batch, place).commits(others, batch, place);
  }
  /** Numbers 1 … `last` go through all phases, each with a batch of its own; `without` has no part in it. */
  decideUpTo(last: number, without?: number): this {
    for (let seq = 1; seq <= last; seq++) this.decide(batchOf(`batch ${seq}`), { seq }, without);
    return this;
  }
  checkpoints(ids: readonly number[], seq: number, stateRoot: Digest = this.rootAt(seq)): this {
    const message = { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot } as const;
    for (const id of ids) this.hear(id, { type: "signed", envelope: envelopeOf(id, message) });
    return this;
  }
  viewChanges(ids: readonly number[], view: number, promised: Promised = {}): this {
    for (const id of ids) this.hearViewChange(viewChangeOf(id, view, promised));
    return this;
  }
  hearViewChange({ viewChange }: VerifiedViewChange): this {
    return this.hear(viewChange.envelope.from, { type: "view-change", viewChange });
  }
  newView({ newView }: VerifiedNewView): this {
    return this.hear(newView.envelope.from, { type: "new-view", newView });
  }
  /** Plain VIEW-CHANGEs of the first quorum lead to it. */
  plainNewView(view: number, promised: Promised = {}): this {
    return this.newView(newViewOf([0, 1, 2].map((id) => viewChangeOf(id, view, promised))));
  }
  /** So much time passes, and the timer ends if it runs. */
  timeOut(timer: TimerName, afterMs: number): this {
    this.node.nowMs += afterMs;
    this.node.fire(timer);
    if (this.isFlushing) this.node.flush();
    return this;
  }
  forget(): this {
    this.packets.length = 0;
    this.node.effects.length = 0;
    return this;
  }

  /** The replica after a crash, on what was durable. */
  restarted(): Lone {
    return new Lone(this.node.id, this.node.durable());
  }

  /** What was said since the last `forget`, each once though it went to several: "prepare 0/1". */
  get said(): string[] {
    return [...new Set(this.packets.map(({ frame }) => frame))].map(nameOf);
  }
  /** As `said`, of one type. */
  saidOf(type: string): string[] {
    return this.said.filter((name) => name.startsWith(`${type} `));
  }
  frames<T extends ReplicaFrame["type"]>(type: T): Extract<ReplicaFrame, { type: T }>[] {
    const frames = [...new Set(this.packets.map(({ frame }) => frame))];
    return frames.filter((frame): frame is Extract<ReplicaFrame, { type: T }> => frame.type === type);
  }
  get viewChangeSaid(): ViewChange | undefined {
    return this.frames("view-change").at(-1)?.viewChange.envelope.message;
  }
  get newViewSaid(): NewView | undefined {
    return this.frames("new-view").at(-1)?.newView.envelope.message;
  }
  /** Types of the records in the log. */
  get log(): LogRecord["type"][] {
    return this.node.disk.log.map(({ type }) => type);
  }
  get executed(): readonly Digest[] {
    return this.node.disk.executed;
  }
  rootAt(seq: number): Digest {
    return rootOf(this.executed.slice(0, seq));
  }
  get rejections(): string[] {
    return this.node.effects.flatMap((effect) => {
      if (effect.type !== "rejected") return [];
      const { rejection } = effect;
      return ["fault" in rejection ? `${rejection.code} ${rejection.fault}` : rejection.code];
    });
  }
  get evidence(): string[] {
    return this.node.effects.flatMap((effect) => (effect.type === "evidence" ? [effect.evidence.type] : []));
  }
  /** How long the timer was started for, each time. */
  timersMs(timer: TimerName): number[] {
    return this.node.effects.flatMap((effect) =>
      effect.type === "start-timer" && effect.timer === timer ? [effect.afterMs] : [],
    );
  }
}

function nameOf(frame: ReplicaFrame): string {
  switch (frame.type) {
    case "signed":
    case "pre-prepare": {
      const { message } = frame.envelope;
      if (message.type === "checkpoint") return `checkpoint ${message.seq}`;
      return "digest" in message && "view" in message ? `${message.type} ${message.view}/${message.seq}` : message.type;
    }
    case "view-change":
      return `view-change ${frame.viewChange.envelope.message.view}`;
    case "new-view":
      return `new-view ${frame.newView.envelope.message.view}`;
    default:
      return frame.type;
  }
}
