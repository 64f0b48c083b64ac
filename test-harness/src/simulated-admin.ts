import { createClientSigner, Verifier } from "@quorate/crypto";
import {
  bytesToAcceptedChange,
  bytesToRefusal,
  type ClientFrame,
  type ClientSigner,
  type Digest,
  digest,
  type Epoch,
  epochNumber,
  type PublicKey,
  type Reply,
  type ServerFrame,
  weakQuorumSize,
} from "@quorate/protocol";
import { changeOfPlan } from "./change-of-plan.ts";
import { describeFrame } from "./describe-frame.ts";
import type { ChangeFlaw, ChangeOrderer, PlannedChange } from "./planned-changes.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import type { World } from "./world.ts";

/** A request that is not answered is sent again after so long. */
const RESEND_MS = 200;

/** A faulty primary may let a change wait that would only be refused by now: nobody holds it to that (protocol rule 7.4). */
const DEADLINE_MS = 8_000;
/** What is in the way of one that is about members is mostly over after a while: it is ordered anew, so often. */
const AGAIN_AFTER_MS = 150;
const TIMES_MAX = 6;
const PASSING: readonly string[] = ["joiner-behind", "in-flight", "epoch-other", "members-too-few"];

/** A change that waits for its answer. */
interface OpenChange {
  readonly planned: PlannedChange;
  /** How often it was ordered. */
  readonly times: number;
  /** When nobody waits for it any more. */
  readonly untilMs: number;
  readonly request: ClientFrame & { readonly type: "request" };
  readonly digest: Digest;
  /** Whom it was answered by, by what was answered. */
  readonly answers: Map<string, Set<number>>;
  resend: Scheduled | undefined;
}

/** Whoever has the admins of a run approve changes, and sends each to all replicas until f+1 have answered alike. */
export class SimulatedAdmin implements ChangeOrderer {
  readonly index: number;
  readonly end: string;
  readonly publicKey: PublicKey;
  readonly #world: World;
  /** Submits; anyone may. */
  readonly #signer: ClientSigner;
  /** Approve, those of them that are in force. */
  readonly #admins: readonly ClientSigner[];
  readonly #verifier: Verifier;
  readonly #open = new Set<OpenChange>();
  #ordered = 0;
  /** Changes that are to be ordered again. */
  #waiting = 0;

  constructor(world: World, index: number) {
    const { backend, hasher, cluster, clientSeeds, adminSeeds } = world.cluster;
    this.index = index;
    this.end = `c${index}`;
    this.#world = world;
    const seed = clientSeeds[index] ?? new Uint8Array(0);
    this.#signer = createClientSigner({ backend, hasher, cluster, seed });
    this.publicKey = this.#signer.publicKey;
    this.#admins = adminSeeds.map((admin) => createClientSigner({ backend, hasher, cluster, seed: admin }));
    this.#verifier = new Verifier({ backend, hasher, cluster, requestsMax: 16, statementsMax: 64 });
  }

  /** Whether nothing that it ordered waits for an answer. */
  get isQuiet(): boolean {
    return this.#open.size === 0 && this.#waiting === 0;
  }
  /** One line for reports. */
  get status(): string {
    return `${this.end} (admin) waits for ${this.#open.size} changes`;
  }

  order(planned: PlannedChange, times = 1): void {
    const { flaw } = planned;
    const nonce = this.#nonceFor(flaw);
    const keys = this.#admins.map(({ publicKey }) => publicKey);
    const { change, holder } = changeOfPlan(this.#world, planned, keys, nonce);
    const about = { epoch: this.#epochFor(flaw), nonce, change };
    const member = this.#memberFor(planned);
    const approvals = (member === undefined ? this.#approversFor(flaw) : [])
      .map((signer) => signer.approve(about))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
    const possession = holder?.signPossession(about) ?? new Uint8Array(0);
    const by = member ?? this.#signer;
    const signed = by.signReconfiguration({ ...about, approvals, possession });
    const request = { type: "request", request: signed.request } as const;
    const { digest: requestDigest } = signed;
    const untilMs = this.#world.clock.nowMs + DEADLINE_MS;
    const waiting = { answers: new Map(), resend: undefined };
    const open: OpenChange = { planned, times, untilMs, request, digest: requestDigest, ...waiting };
    this.#open.add(open);
    this.#world.note(`${this.end} orders ${describe(planned)} in e${about.epoch}`);
    for (const checker of this.#world.checkers) checker.onRequest?.(this.index, signed.request);
    this.#send(open);
  }

  /** The member that orders this by itself; its answers come here, unless it orders checkpoints of its own. */
  #memberFor(planned: PlannedChange): ClientSigner | undefined {
    const isBySelf = (planned.type === "leave" || planned.type === "rejoin") && planned.isBySelf === true;
    if (!isBySelf) return undefined;
    const { keys } = this.#world.replicas()[planned.replica] ?? {};
    const signer = keys?.ordererIn(this.#world.epochs().membership);
    return signer && this.#world.clientOf(signer.publicKey) === this.index ? signer : undefined;
  }

  #epochFor(flaw: ChangeFlaw | undefined): Epoch {
    const { epoch } = this.#world.epochs().membership;
    if (flaw !== "other-epoch") return epoch;
    return epochNumber(epoch > 0 ? epoch - 1 : epoch + 1);
  }

  #nonceFor(flaw: ChangeFlaw | undefined): Digest {
    if (flaw !== "used-nonce") this.#ordered += 1;
    return digest(this.#ordered.toString(16).padStart(64, "0"));
  }

  /** As many of the admins in force as must sign, or not quite those. */
  #approversFor(flaw: ChangeFlaw | undefined): readonly ClientSigner[] {
    const { threshold, keys } = this.#world.epochs().configuration.admins;
    const inForce = this.#admins.filter(({ publicKey }) => keys.includes(publicKey));
    const others = this.#admins.filter(({ publicKey }) => !keys.includes(publicKey));
    if (flaw === "too-few") return inForce.slice(1, threshold);
    return flaw === "foreign" ? [...inForce.slice(1, threshold), ...others.slice(0, 1)] : inForce.slice(0, threshold);
  }

  onLink(): void {
    // It sends again until it is answered.
  }

  onServerFrame(from: number, arrival: Arrival<ServerFrame>): void {
    const frame = arrival();
    if (frame.type !== "reply") return;
    this.#world.note(`${this.end} < r${from} ${describeFrame(frame)}`);
    for (const open of [...this.#open])
      if (open.digest === frame.reply.requestDigest) this.#onReply(open, from, frame.reply);
  }

  #onReply(open: OpenChange, from: number, reply: Reply): void {
    const membership = this.#world.epochs().membershipAt(reply.statement.epoch);
    if (reply.from !== from || membership === undefined) return;
    if (this.#verifier.verifyReply(reply, membership) === undefined) return;
    const [result] = reply.results;
    const accepted = result && bytesToAcceptedChange(result.value);
    const answer = accepted ? "accepted" : ((result && bytesToRefusal(result.value)) ?? result?.status ?? "nothing");
    // Of one epoch: members of several do not add up.
    const told = `e${membership.epoch} ${answer}`;
    const by = open.answers.get(told) ?? new Set();
    open.answers.set(told, by.add(from));
    if (by.size < weakQuorumSize(membership)) return;
    open.resend?.cancel();
    this.#open.delete(open);
    this.#world.marks.add(`reconfiguration: ${answer}`);
    this.#world.note(`${this.end}: the change is ${answer}`);
    if (PASSING.includes(answer)) this.#orderAgain(open);
  }

  #orderAgain({ planned, times }: OpenChange): void {
    const isOfMembers = planned.type === "join" || planned.type === "leave" || planned.type === "rotate-key";
    if (!isOfMembers || "fault" in planned || planned.flaw !== undefined || times === TIMES_MAX) return;
    this.#waiting += 1;
    this.#world.clock.after(AGAIN_AFTER_MS, () => {
      this.#waiting -= 1;
      this.order(planned, times + 1);
    });
  }

  #send(open: OpenChange): void {
    const { network, wire, receive, clock } = this.#world;
    const arrival = wire.clientFrame(open.request);
    for (const { id } of this.#world.epochs().membership.members)
      network.send(this.end, `r${id}`, () => receive.clientFrame(id, this.index, arrival, open.request.request.client));
    open.resend = clock.after(RESEND_MS, () => {
      if (!this.#open.has(open)) return;
      if (clock.nowMs < open.untilMs) return this.#send(open);
      this.#open.delete(open);
      this.#world.marks.add("reconfiguration: given up");
    });
  }
}

function describe({ atMs: _atMs, ...change }: PlannedChange): string {
  return JSON.stringify(change);
}
