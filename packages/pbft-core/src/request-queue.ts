import {
  BATCH_RECONFIGURATIONS_MAX,
  type Digest,
  type DigestedRequest,
  type ExecutionProgress,
  type Fill,
  invariant,
  type Limits,
  type OperationsRequest,
  type PublicKey,
  type Request,
  type RequestNumber,
  type RequestStanding,
  type SequenceNumber,
  type ServedRequest,
  type SessionId,
  type SessionProgress,
  type VerifiedRequest,
} from "@quorate/protocol";
import { operationsOf, type PendingRequest, pendingRequest } from "./pending-request.ts";
import { type PendingLimits, PendingShares } from "./pending-shares.ts";
import { Waits } from "./waits.ts";

/** Bounds of the queue of pending requests. */
export interface RequestQueueLimits extends PendingLimits {
  /** As many requests are clocked as a loaded primary clears in half a time-out (protocol rule 7.4). */
  readonly clockedMax: number;
}

/** What most batches find: nobody had to complain. */
const NONE_SERVED: readonly ServedRequest[] = [];

/** The caps on one batch, of genesis. */
export type BatchLimits = Pick<Limits, "batchRequestsMax" | "batchBytesMax" | "batchOperationsMax">;

interface SessionQueue {
  /** The number that execution expects next, as far as this replica knows. */
  expected: RequestNumber;
  readonly byNumber: Map<RequestNumber, PendingRequest>;
}

/**
 * Requests that wait to be ordered. A session's requests become ready in the order of their numbers, so that a correct
 * primary proposes them so (protocol rule 3.3); a request leaves only when its session has passed it.
 */
export class RequestQueue {
  readonly #limits: RequestQueueLimits;
  readonly #byDigest = new Map<Digest, PendingRequest>();
  readonly #sessions = new Map<string, SessionQueue>();
  readonly #shares: PendingShares;
  /** Registrations, ordered checkpoints and reconfigurations, which are in no session. */
  readonly #sessionless = new Set<PendingRequest>();
  /** Those whose turn it is: a primary that lets them wait is not doing its work (protocol rule 7.4). */
  readonly #clocks = new Waits<PendingRequest>();
  /** In order of arrival; a Set, so that removal is cheap. */
  readonly #ready = new Set<PendingRequest>();
  #displaced = 0;

  constructor(limits: RequestQueueLimits) {
    this.#limits = limits;
    this.#shares = new PendingShares(limits);
  }

  get size(): number {
    return this.#byDigest.size;
  }
  get readyCount(): number {
    return this.#ready.size;
  }
  /** How many have given way to others so far. */
  get displaced(): number {
    return this.#displaced;
  }

  get fills(): readonly Fill[] {
    return [
      ...this.#shares.fills,
      { of: "clocked requests", size: this.#clocks.size, max: this.#limits.clockedMax },
      // Indexes of what is pending: nothing may be left in them that is gone.
      { of: "sessions of pending requests", size: this.#sessions.size, max: this.#byDigest.size, isIndex: true },
      { of: "ready requests", size: this.#ready.size, max: this.#byDigest.size, isIndex: true },
    ];
  }

  /** How many requests have a clock: their turn it is. */
  get clockedCount(): number {
    return this.#clocks.size;
  }

  /** Since when the oldest request whose turn it is has been waiting. */
  get oldestAtMs(): number | undefined {
    return this.#clocks.oldestAtMs;
  }

  /** The requests whose turn it is and that have waited since `atMs` or longer, oldest first. */
  waitingSince(atMs: number, most: number): Request[] {
    return this.#clocks.since(atMs, most).map(({ request }) => request.request);
  }

  /** All that waits, in the order of arrival. */
  *pending(): Iterable<Request> {
    for (const { request } of this.#byDigest.values()) yield request.request;
  }

  has(digest: Digest): boolean {
    return this.#byDigest.has(digest);
  }

  /**
   * Takes a request on. `known`: it, or another of its session and number, waits already. `full`: nothing changed.
   *
   * @param isPrimary whether what is ready is proposed from this queue.
   */
  add(request: VerifiedRequest, standing: RequestStanding, atMs: number, isPrimary = true): "added" | "known" | "full" {
    if (standing.type === "answered") return "known";
    const held = this.#byDigest.get(request.digest);
    if (held !== undefined) {
      this.#judgeAgain(held, standing, atMs);
      return "known";
    }
    const operations = request.request.type === "operations" ? request.request : undefined;
    if (
      operations !== undefined &&
      this.#sessions.get(sessionKey(operations.client, operations.session))?.byNumber.has(operations.number) === true
    )
      return "known";
    const pending = pendingRequest(request, standing);
    // A backup that could not hold the primary to it does not take it on.
    if (!isPrimary && pending.isClockable && this.#clocks.size >= this.#limits.clockedMax) return "full";
    const isInTurn = standing.type === "executable" || standing.type === "answer-lost";
    if (!this.#makeRoomFor(pending, isPrimary, isInTurn)) return "full";
    this.#byDigest.set(request.digest, pending);
    this.#shares.add(pending);
    if (operations === undefined) this.#sessionless.add(pending);
    if (operations === undefined || standing.type === "answer-lost") this.#setTurn(pending, atMs);
    else this.#enterSession(operations, pending, standing, atMs);
    return "added";
  }

  /**
   * Takes ready requests for a batch at `seq`, oldest first, within all caps; at least one if any is ready. Reconfigurations beyond
   * those that one batch may have are passed over: whoever sends many of them holds nobody else up.
   */
  take(seq: SequenceNumber, limits: BatchLimits, atMs: number): VerifiedRequest[] {
    const taken: VerifiedRequest[] = [];
    let bytes = 0;
    let operations = 0;
    let reconfigurations = 0;
    for (const pending of this.#ready) {
      if (isReconfiguration(pending) && ++reconfigurations > BATCH_RECONFIGURATIONS_MAX) continue;
      bytes += pending.bytes;
      operations += operationsOf(pending.request);
      const isFull = bytes > limits.batchBytesMax || operations > limits.batchOperationsMax;
      if (taken.length >= limits.batchRequestsMax || (taken.length > 0 && isFull)) break;
      taken.push(pending.request);
      pending.proposedAt = seq;
      this.#setReady(pending, false);
    }
    for (const request of taken) this.#promote(request, atMs);
    return taken;
  }

  /** Someone else's proposal, or one from before a restart, carries these: they are not proposed again meanwhile. */
  markProposed(seq: SequenceNumber, requests: readonly DigestedRequest[]): void {
    for (const { digest } of requests) {
      const pending = this.#byDigest.get(digest);
      if (pending === undefined) continue;
      if (pending.proposedAt === undefined || pending.proposedAt < seq) pending.proposedAt = seq;
      this.#setReady(pending, false);
    }
  }

  /**
   * The batch at `seq` was executed: what has its output leaves; what had no effect waits for its turn again.
   *
   * @returns those that leave and had a clock.
   */
  onExecuted(
    seq: SequenceNumber,
    requests: readonly DigestedRequest[],
    progress: ExecutionProgress,
    atMs: number,
  ): readonly ServedRequest[] {
    const served = this.#removeAnswered(progress.answered);
    for (const { digest } of requests) {
      const pending = this.#byDigest.get(digest);
      if (pending?.proposedAt === undefined || pending.proposedAt > seq) continue;
      pending.proposedAt = undefined;
      if (pending.isAlone) this.#onWithoutEffect(pending, atMs);
    }
    for (const session of progress.sessions) this.#passSession(session, atMs);
    for (const { client, session } of progress.evicted)
      for (const pending of this.#sessions.get(sessionKey(client, session))?.byNumber.values() ?? []) {
        this.#endClock(pending);
      }
    this.#endOverdue(seq, progress.lastCheckpoint);
    return served;
  }

  /** A view was entered: nothing counts as proposed in it, and everything has the time-out of the new primary. */
  onNewView(atMs: number): void {
    for (const pending of this.#byDigest.values()) {
      if (pending.proposedAt === undefined) continue;
      pending.proposedAt = undefined;
      if (pending.isAlone) this.#setReady(pending, true);
    }
    for (const queue of this.#sessions.values()) this.#promoteFrom(queue, atMs);
    this.#clocks.restart(atMs);
  }

  #removeAnswered(answered: readonly Digest[]): readonly ServedRequest[] {
    let served: ServedRequest[] | undefined;
    for (const digest of answered) {
      const pending = this.#byDigest.get(digest);
      const sinceMs = pending === undefined ? undefined : this.#remove(pending);
      if (pending === undefined || sinceMs === undefined) continue;
      served ??= [];
      served.push({ client: pending.client, sinceMs });
    }
    return served ?? NONE_SERVED;
  }

  /**
   * It was ordered and has no output: its number is ahead of its session, however it looked when it came. Ordered again
   * at once it would be so again, and again: a client that skips a number must not keep the cluster busy for ever.
   */
  #onWithoutEffect(pending: PendingRequest, atMs: number): void {
    if (pending.request.request.type !== "operations") return this.#setTurn(pending, atMs);
    pending.isAlone = false;
    this.#clocks.end(pending);
  }

  #passSession({ client, session, expected }: SessionProgress, atMs: number): void {
    const queue = this.#sessions.get(sessionKey(client, session));
    if (queue === undefined) return;
    queue.expected = expected;
    for (const [number, pending] of queue.byNumber) if (number < expected) this.#remove(pending);
    this.#promoteFrom(queue, atMs);
  }

  /**
   * A registration that is too late, and a checkpoint that is there already, would only be refused. A reconfiguration is refused or
   * not by what the state says of it, and not by the numbers that pass.
   */
  #endOverdue(seq: SequenceNumber, lastCheckpoint: SequenceNumber): void {
    for (const pending of this.#sessionless)
      if (isOverdue(pending.request.request, seq, lastCheckpoint)) this.#endClock(pending);
  }

  #enterSession(operations: OperationsRequest, pending: PendingRequest, standing: RequestStanding, atMs: number): void {
    const expected = standing.type === "ahead" ? standing.expected : operations.number;
    const key = sessionKey(operations.client, operations.session);
    let queue = this.#sessions.get(key);
    if (queue === undefined) {
      queue = { expected, byNumber: new Map() };
      this.#sessions.set(key, queue);
    } else if (standing.type !== "ahead" && operations.number !== queue.expected) {
      // The executed state says that this number is judged right away: refused, or of a session it does not know.
      if (operations.number < queue.expected) {
        pending.isAlone = true;
        this.#setTurn(pending, atMs);
      } else queue.expected = operations.number;
    }
    queue.byNumber.set(operations.number, pending);
    this.#promoteFrom(queue, atMs);
  }

  #promote(request: VerifiedRequest, atMs: number): void {
    if (request.request.type !== "operations") return;
    const queue = this.#sessions.get(sessionKey(request.request.client, request.request.session));
    if (queue !== undefined) this.#promoteFrom(queue, atMs);
  }

  /** Makes the first number that is not proposed yet ready, and those that follow it without a gap. */
  #promoteFrom(queue: SessionQueue, atMs: number): void {
    for (let number = queue.expected; ; number = (number + 1) as RequestNumber) {
      const pending = queue.byNumber.get(number);
      if (pending === undefined) return;
      this.#setTurn(pending, atMs);
    }
  }

  /** Its turn has come: it may be proposed, and whoever ought to propose it is watched. */
  #setTurn(pending: PendingRequest, atMs: number): void {
    if (pending.proposedAt === undefined) this.#setReady(pending, true);
    if (pending.isClockable && !pending.isOver && this.#clocks.size < this.#limits.clockedMax)
      this.#clocks.begin(pending, atMs);
  }

  /**
   * It is asked again: if no clock was left when its turn came, there may be one now. A replica that was behind may have
   * learned of its session since: what looked as if it would be refused is the primary's work then (protocol rule 7.4).
   */
  #judgeAgain(pending: PendingRequest, standing: RequestStanding, atMs: number): void {
    if (standing.type === "refusable" || pending.isOver) return;
    if (!pending.isClockable) this.#admit(pending, standing, atMs);
    else if (pending.ready || pending.proposedAt !== undefined) this.#setTurn(pending, atMs);
  }

  #admit(pending: PendingRequest, standing: RequestStanding, atMs: number): void {
    pending.isClockable = true;
    const { request } = pending.request;
    if (standing.type === "answer-lost" || request.type !== "operations") {
      pending.isAlone = true;
      return this.#setTurn(pending, atMs);
    }
    const queue = this.#sessions.get(sessionKey(request.client, request.session));
    invariant(queue !== undefined, "request-queue.session-unknown");
    // Whichever of the session's numbers came first was taken for the expected one.
    const expected = standing.type === "ahead" ? standing.expected : request.number;
    if (expected < queue.expected) queue.expected = expected;
    this.#promoteFrom(queue, atMs);
  }

  #endClock(pending: PendingRequest): void {
    pending.isOver = true;
    this.#clocks.end(pending);
  }

  #setReady(pending: PendingRequest, ready: boolean): void {
    if (pending.ready === ready) return;
    pending.ready = ready;
    if (ready) this.#ready.add(pending);
    else this.#ready.delete(pending);
  }

  /** @returns when its clock began to run. */
  #remove(pending: PendingRequest): number | undefined {
    invariant(this.#byDigest.delete(pending.request.digest), "request-queue.remove-unknown");
    this.#setReady(pending, false);
    this.#sessionless.delete(pending);
    const since = this.#clocks.end(pending);
    this.#forget(pending);
    return since;
  }

  #forget(pending: PendingRequest): void {
    this.#shares.remove(pending);
    const { request } = pending.request;
    if (request.type !== "operations") return;
    const key = sessionKey(request.client, request.session);
    const queue = this.#sessions.get(key);
    if (queue?.byNumber.get(request.number) !== pending) return;
    queue.byNumber.delete(request.number);
    if (queue.byNumber.size === 0) this.#sessions.delete(key);
  }

  /**
   * Makes the oldest give way. At a primary only requests whose turn may never come (a lower number is missing): all
   * others leave by being executed. At a backup only what the primary is not held to: whose clock runs leaves by being
   * executed, under this primary or the next (protocol rule 7.4). A client at its share gives way to itself; at a primary
   * only for a request whose turn it is, for backups hold the primary to that one, whatever else its client has sent.
   */
  #makeRoomFor(pending: PendingRequest, isPrimary: boolean, isInTurn: boolean): boolean {
    const isOwn = ({ client }: PendingRequest): boolean => client === pending.client;
    const isShareFull = this.#shares.isShareFull(pending.client);
    if (isShareFull && isPrimary && !isInTurn) return false;
    if (!isShareFull && this.#shares.hasRoomFor(pending)) return true;
    const leaving: PendingRequest[] = [];
    let leavingBytes = 0;
    const candidates = isShareFull ? [...this.#byDigest.values()].filter(isOwn) : this.#byDigest.values();
    for (const other of candidates) {
      if (!this.#mayGiveWay(other, isPrimary)) continue;
      leaving.push(other);
      leavingBytes += other.bytes;
      if (!this.#shares.hasRoomFor(pending, leaving.length, leavingBytes)) continue;
      for (const gone of leaving) this.#remove(gone);
      this.#displaced += leaving.length;
      return true;
    }
    return false;
  }

  #mayGiveWay(pending: PendingRequest, isPrimary: boolean): boolean {
    return pending.proposedAt === undefined && !(isPrimary ? pending.ready : this.#clocks.has(pending));
  }
}

function isOverdue(request: Request, seq: SequenceNumber, lastCheckpoint: SequenceNumber): boolean {
  if (request.type === "checkpoint") return request.above < lastCheckpoint;
  return request.type === "registration" && request.lastValid <= seq;
}

function isReconfiguration({ request }: PendingRequest): boolean {
  return request.request.type === "reconfiguration";
}

/** By owner too: a request under another client's session must not move that session's queue. */
function sessionKey(client: PublicKey, session: SessionId): string {
  return `${client}/${session}`;
}
