import { type PublicKey, type ReplicaFrame, type ReplicaId, replicaId, type ServerFrame } from "@quorate/protocol";
import type { ReplicaRunner } from "@quorate/server/host";
import type { Guise, Outgoing } from "./byzantine/guise.ts";
import type { Checker } from "./checkers/checker.ts";
import { describeFrame } from "./describe-frame.ts";
import { drawn } from "./drawn.ts";
import { isMemberBy, replicaOfPeer } from "./peer-number.ts";
import type { SimulatedKeys } from "./simulated-keys.ts";
import type { TwinPlace } from "./twins.ts";
import type { World } from "./world.ts";

/** Whose frames are sent. */
export interface ReplicaSenderOptions {
  readonly id: ReplicaId;
  readonly end: string;
  readonly guise: Guise;
  readonly keys: SimulatedKeys;
  readonly twin: TwinPlace | undefined;
  /** Undefined while it is down. */
  readonly host: () => ReplicaRunner | undefined;
  /** Frames that this replica never sends: a planted bug. */
  readonly withholds: ((frame: ReplicaFrame) => boolean) | undefined;
  /** Its own frame, before its guise makes of it what it makes. */
  readonly onSent: (frame: ReplicaFrame, receivers: number) => void;
  readonly tell: (report: (checker: Checker) => void) => void;
}

/** Sends what one replica says, in its guise, over the simulated network. */
export class ReplicaSender {
  readonly #world: World;
  readonly #options: ReplicaSenderOptions;
  #replied = new Set<string>();

  constructor(world: World, options: ReplicaSenderOptions) {
    this.#world = world;
    this.#options = options;
  }

  /** It starts again, and remembers no replies. */
  restart(): void {
    this.#replied = new Set();
  }

  toReplicas(to: readonly ReplicaId[], frame: ReplicaFrame): void {
    this.#toAll(to.map(replicaOfPeer), frame);
  }

  /** To those that are up and no members, as far as this one knows. */
  toObservers(frame: ReplicaFrame): void {
    const { id, host } = this.#options;
    const membership = host()?.epochs.membership;
    if (membership === undefined) return;
    const observers = this.#world.replicas().flatMap(({ isUp, keys }, index) => {
      const isThere = isUp && index !== id && !isMemberBy(keys.publicKeys, membership);
      return isThere ? [index] : [];
    });
    if (observers.length > 0) this.#toAll(observers, frame);
  }

  #toAll(to: readonly number[], frame: ReplicaFrame): void {
    const { end, guise, withholds, onSent } = this.#options;
    if (withholds?.(frame) === true) return;
    this.#world.marks.add(`sent to ${to.length === 1 ? "one" : "all"}: ${typeOf(frame)}`);
    this.#world.note(`${end} > ${to.map((id) => `r${id}`).join()} ${describeFrame(frame)}`);
    onSent(frame, to.length);
    for (const id of to)
      for (const outgoing of guise.toReplica(replicaId(id), frame)) {
        if (outgoing.delayMs === 0) this.#sendOne(id, outgoing);
        else this.#world.clock.after(outgoing.delayMs, () => this.#sendOne(id, outgoing));
      }
  }

  toClient(key: PublicKey, frame: ServerFrame): void {
    const { network, receive, marks, note } = this.#world;
    const { id, end, guise, twin } = this.#options;
    const client = this.#world.clientOf(key);
    if (client === undefined || twin?.reaches(`c${client}`) === false) return;
    note(`${end} > c${client} ${describeFrame(frame)}`);
    if (frame.type === "refused") marks.add(`refused: ${frame.code}`);
    if (frame.type === "reply") this.#remember(frame);
    for (const { frame: sent, arrival } of guise.toClient(frame)) {
      const arrive = drawn(this.#world, end, `c${client}`, sent.type, sent);
      network.send(end, `c${client}`, () => {
        arrive();
        receive.serverFrame(client, id, arrival);
      });
    }
  }

  #remember({ reply }: Extract<ServerFrame, { type: "reply" }>): void {
    const { id, tell } = this.#options;
    if (this.#replied.has(reply.requestDigest)) this.#world.marks.add("reply: made again");
    this.#replied.add(reply.requestDigest);
    tell((checker) => checker.onReply?.(id, reply));
  }

  #sendOne(to: number, { frame, arrival }: Outgoing): void {
    const { id, end, keys, twin } = this.#options;
    if (twin?.reaches(`r${to}`) === false) return;
    const { network, receive } = this.#world;
    const sender = { id, keys: keys.publicKeys };
    const arrive = drawn(this.#world, end, `r${to}`, typeOf(frame), frame);
    network.send(end, `r${to}`, () => {
      arrive();
      receive.replicaFrame(to, sender, arrival);
    });
  }
}

function typeOf(frame: ReplicaFrame): string {
  return frame.type === "signed" ? frame.envelope.message.type : frame.type;
}
