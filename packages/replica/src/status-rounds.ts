import { type Outbox, type ReplicaId, type SequenceNumber, sequenceNumber } from "@quorate/protocol";

/** Where ordering stands at a tick. */
export interface OrderingStand {
  readonly lastDelivered: SequenceNumber;
  readonly highestHeard: SequenceNumber;
  readonly highWatermark: SequenceNumber;
  /** There is work that is not done: requests wait, or a change for its activation, or a view change is on. */
  readonly isBusy: boolean;
}

/** An idle replica sends its status at every so many ticks. */
const IDLE_STATUS_TICKS = 10;

/**
 * When a replica says where it stands, and what counts as late: what was known of at the previous tick and is not there
 * yet is not on its way any more (protocol rule 4.8).
 */
export class StatusRounds {
  readonly #intervalMs: number;
  readonly #acceptedBy = new Map<ReplicaId, SequenceNumber>();
  #token = 0;
  #idleTicks = 0;
  #knownAtTick: SequenceNumber;

  constructor(intervalMs: number, executed: SequenceNumber) {
    this.#intervalMs = intervalMs;
    this.#knownAtTick = executed;
  }

  /** The highest number known of at the previous tick: what is missing up to there is late. */
  get knownAtTick(): SequenceNumber {
    return this.#knownAtTick;
  }

  /** A member reports the highest number for which it knows a proposal. */
  onStatus(from: ReplicaId, accepted: SequenceNumber): void {
    this.#acceptedBy.set(from, accepted);
  }

  /** What was proposed in another view need not exist in this one. */
  onNewView(lastDelivered: SequenceNumber): void {
    this.#acceptedBy.clear();
    this.#knownAtTick = lastDelivered;
  }

  /** Whether this timer is the current one. */
  isDue(token: number): boolean {
    return token === this.#token;
  }

  /** @returns whether a status is due; what it reports as late lies up to `knownAtTick`, see `afterTick`. */
  onTick({ lastDelivered, isBusy }: OrderingStand): boolean {
    const isStuck = this.#knownAtTick > lastDelivered || isBusy;
    this.#idleTicks = isStuck ? 0 : this.#idleTicks + 1;
    return isStuck || this.#idleTicks % IDLE_STATUS_TICKS === 0;
  }

  /** Once the status of this tick is made: the next one reports what is known by now. */
  afterTick({ lastDelivered, highestHeard, highWatermark }: OrderingStand): void {
    const known = Math.max(lastDelivered, highestHeard, ...this.#acceptedBy.values());
    this.#knownAtTick = sequenceNumber(Math.min(known, highWatermark));
  }

  startTimer(out: Outbox): void {
    this.#token += 1;
    out.push({ type: "start-timer", timer: "status", token: this.#token, afterMs: this.#intervalMs });
  }
}
