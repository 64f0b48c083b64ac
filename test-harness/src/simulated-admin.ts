import { createClientSigner, Verifier } from "@quorate/crypto";
import {
  bytesToAcceptedChange,
  bytesToRefusal,
  type ClientFrame,
  type ClientSigner,
  type Digest,
  digest,
  type PublicKey,
  type Reply,
  type ServerFrame,
  weakQuorumSize,
} from "@quorate/protocol";
import { describeFrame } from "./describe-frame.ts";
import type { ChangeOrderer, PlannedChange } from "./planned-changes.ts";
import type { Scheduled } from "./virtual-clock.ts";
import type { Arrival } from "./wire.ts";
import type { World } from "./world.ts";

/** A request that is not answered is sent again after so long. */
const RESEND_MS = 200;

/** A change that waits for its answer. */
interface OpenChange {
  readonly request: ClientFrame & { readonly type: "request" };
  readonly digest: Digest;
  /** Whom it was answered by, by what was answered. */
  readonly answers: Map<string, Set<number>>;
  resend: Scheduled | undefined;
}

/** The admin of a run, who orders changes of K and L, and sends each to all replicas until f+1 have answered alike. */
export class SimulatedAdmin implements ChangeOrderer {
  readonly index: number;
  readonly end: string;
  readonly publicKey: PublicKey;
  readonly #world: World;
  readonly #signer: ClientSigner;
  readonly #verifier: Verifier;
  readonly #open = new Set<OpenChange>();
  #ordered = 0;

  constructor(world: World, index: number) {
    const { backend, hasher, cluster, clientSeeds } = world.cluster;
    this.index = index;
    this.end = `c${index}`;
    this.#world = world;
    const seed = clientSeeds[index] ?? new Uint8Array(0);
    this.#signer = createClientSigner({ backend, hasher, cluster, seed });
    this.publicKey = this.#signer.publicKey;
    this.#verifier = new Verifier({ backend, hasher, cluster, requestsMax: 16, statementsMax: 64 });
  }

  /** Whether nothing that it ordered waits for an answer. */
  get isQuiet(): boolean {
    return this.#open.size === 0;
  }
  /** One line for reports. */
  get status(): string {
    return `${this.end} (admin) waits for ${this.#open.size} changes`;
  }

  order({ checkpointInterval, windowSize }: PlannedChange): void {
    const { epoch } = this.#world.epochs().membership;
    const change = { type: "parameters", checkpointInterval, windowSize } as const;
    const nonce = digest((++this.#ordered).toString(16).padStart(64, "0"));
    const about = { epoch, nonce, change };
    const approvals = [this.#signer.approve(about)];
    const signed = this.#signer.signReconfiguration({ ...about, approvals, possession: new Uint8Array(0) });
    const request = { type: "request", request: signed.request } as const;
    const open: OpenChange = { request, digest: signed.digest, answers: new Map(), resend: undefined };
    this.#open.add(open);
    this.#world.note(`${this.end} orders K = ${checkpointInterval}, L = ${windowSize} in e${epoch}`);
    for (const checker of this.#world.checkers) checker.onRequest?.(this.index, signed.request);
    this.#send(open);
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
    const by = open.answers.get(answer) ?? new Set();
    open.answers.set(answer, by.add(from));
    if (by.size < weakQuorumSize(membership)) return;
    open.resend?.cancel();
    this.#open.delete(open);
    this.#world.marks.add(`reconfiguration: ${answer}`);
    this.#world.note(`${this.end}: the change is ${answer}`);
  }

  #send(open: OpenChange): void {
    const { network, wire, receive, clock, cluster } = this.#world;
    const arrival = wire.clientFrame(open.request);
    for (const { id } of cluster.membership.members)
      network.send(this.end, `r${id}`, () => receive.clientFrame(id, this.index, arrival));
    open.resend = clock.after(RESEND_MS, () => {
      if (this.#open.has(open)) this.#send(open);
    });
  }
}
