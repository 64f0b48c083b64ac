import {
  type CheckpointCertificate,
  type Epoch,
  FETCH_COMMITTED_MAX,
  invariant,
  NO_MEMBER,
  type Outbox,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  type Signer,
  sequenceNumber,
} from "@quorate/protocol";

export interface GapFillerOptions {
  /** Of one that is no member: it asks without a signature, and for all that it lacks, for nobody else brings it that. */
  readonly signer: Signer;
  readonly epoch: Epoch;
  /** f+1. */
  readonly weakQuorum: number;
  /** How long a donor may take before another is asked. */
  readonly retryAfterMs: number;
  /** The last number that is part of the state. */
  readonly executed: SequenceNumber;
  /** Delivered and not executed, from which on no more is asked for: execution waits for a disk then. */
  readonly unexecutedMax: number;
}

interface Fetch {
  readonly donor: ReplicaId;
  readonly last: SequenceNumber;
  readonly token: number;
}

/**
 * Fills the gap between what is delivered here and what others have executed with committed batches and their
 * certificates, from one donor after the other (protocol rules 4.5 and 9.3). Donors are not trusted: an entry proves
 * itself, and a donor that is silent or lies costs one time-out.
 */
export class GapFiller {
  readonly #options: GapFillerOptions;
  /** What each member last said it has executed. Bounded by n: the caller knows members only. */
  readonly #executedBy = new Map<ReplicaId, SequenceNumber>();
  /** Members whose history no longer reaches down to us, and how far they had to look. */
  readonly #tooShort = new Map<ReplicaId, SequenceNumber>();
  /** Members that did not answer, and for what. */
  readonly #silent = new Map<ReplicaId, SequenceNumber>();
  #fetch: Fetch | undefined;
  #token = 0;
  #executed: SequenceNumber;
  #certified = 0;
  /** Where delivery stood at the last status tick: only who did not move since then has a gap. */
  #deliveredAtTick: SequenceNumber | undefined;
  #lastDonor: ReplicaId | undefined;

  constructor(options: GapFillerOptions) {
    this.#options = options;
    this.#executed = options.executed;
  }

  /** Execution has come so far. */
  onExecuted(executed: SequenceNumber): void {
    this.#executed = executed;
  }

  /**
   * So many that one of them is correct have said that their history starts above the gap, and nobody else who is ahead has
   * filled it when asked: only a state transfer can. Liars alone can neither bring this about nor keep it off by their silence.
   */
  isStranded(delivered: SequenceNumber): boolean {
    const tooShort = [...this.#tooShort.values()].filter((seq) => seq >= delivered).length;
    if (tooShort < this.#options.weakQuorum) return false;
    const ahead = [...this.#executedBy].filter(([, executed]) => executed > delivered);
    return ahead.every(([id]) => Math.max(this.#tooShort.get(id) ?? -1, this.#silent.get(id) ?? -1) >= delivered);
  }

  /** A member reports what it has executed; far behind, we ask at once, and an observer always. */
  onStatus(from: ReplicaId, executed: SequenceNumber, delivered: SequenceNumber, out: Outbox): void {
    this.#executedBy.set(from, executed);
    const patience = this.#isObserver ? 0 : FETCH_COMMITTED_MAX;
    if (executed > delivered + patience) this.#start(delivered, out);
  }

  /**
   * The highest checkpoint that a quorum is known to have signed: its signers have executed so far. In an epoch that is over for them
   * they say nothing else by which whoever is left in it could learn that.
   */
  onCertified({ seq, signatures }: CheckpointCertificate): void {
    if (seq <= this.#certified) return;
    this.#certified = seq;
    for (const { from } of signatures)
      if (from !== this.#options.signer.self)
        this.#executedBy.set(from, sequenceNumber(Math.max(seq, this.#executedBy.get(from) ?? 0)));
  }

  /** Once per status interval: a gap that did not close by itself since the last one is filled. */
  onTick(delivered: SequenceNumber, out: Outbox): void {
    const isStuck = this.#deliveredAtTick === delivered;
    this.#deliveredAtTick = delivered;
    // What an observer lacks does not come by itself.
    if (isStuck || this.#isObserver) this.#start(delivered, out);
  }

  /** Whether an entry for `seq` was asked for, of anyone. */
  isAwaited(seq: SequenceNumber): boolean {
    return this.#fetch !== undefined && seq <= this.#fetch.last;
  }

  /** Whether this member has been asked and may answer. */
  isDonor(id: ReplicaId): boolean {
    return this.#fetch?.donor === id;
  }

  /** Delivery moved: when the asked range is complete, the next one is asked for. */
  onDelivered(delivered: SequenceNumber, out: Outbox): void {
    const fetch = this.#fetch;
    if (fetch === undefined || delivered < fetch.last) return;
    this.#stop(out);
    const theirs = this.#executedBy.get(fetch.donor) ?? delivered;
    if (theirs > delivered && this.#hasRoom(delivered)) this.#ask(fetch.donor, delivered, theirs, out);
  }

  /** The donor's history starts above the gap. */
  onBelowHistory(from: ReplicaId, delivered: SequenceNumber, out: Outbox): void {
    if (this.#fetch?.donor !== from) return;
    this.#tooShort.set(from, delivered);
    this.#stop(out);
    this.#start(delivered, out);
  }

  /** The donor did not answer in time: another one. */
  onTimeout(token: number, delivered: SequenceNumber, out: Outbox): void {
    if (this.#fetch?.token !== token) return;
    this.#silent.set(this.#fetch.donor, delivered);
    this.#fetch = undefined;
    this.#start(delivered, out);
  }

  /** What is delivered waits in memory until it is executed, and donors are faster than a disk that hangs. */
  #hasRoom(delivered: SequenceNumber): boolean {
    return delivered - this.#executed < this.#options.unexecutedMax;
  }

  #start(delivered: SequenceNumber, out: Outbox): void {
    if (this.#fetch !== undefined || !this.#hasRoom(delivered)) return;
    const donors = [...this.#executedBy]
      .filter(([id, executed]) => executed > delivered && (this.#tooShort.get(id) ?? -1) < delivered)
      .map(([id]) => id)
      .sort((a, b) => a - b);
    const donor = donors.find((id) => id > (this.#lastDonor ?? -1)) ?? donors[0];
    if (donor === undefined) return;
    this.#ask(donor, delivered, this.#executedBy.get(donor) ?? delivered, out);
  }

  #ask(donor: ReplicaId, delivered: SequenceNumber, theirs: SequenceNumber, out: Outbox): void {
    invariant(theirs > delivered, "gap-filler.nothing-to-ask", { delivered, theirs });
    const first = sequenceNumber(delivered + 1);
    const last = sequenceNumber(Math.min(theirs, delivered + FETCH_COMMITTED_MAX));
    this.#token += 1;
    this.#fetch = { donor, last, token: this.#token };
    this.#lastDonor = donor;
    const { retryAfterMs } = this.#options;
    out.push({ type: "send", to: donor, frame: this.#question(first, last) });
    out.push({ type: "start-timer", timer: "fetch", token: this.#token, afterMs: retryAfterMs });
  }

  #question(first: SequenceNumber, last: SequenceNumber): ReplicaFrame {
    const { signer, epoch } = this.#options;
    if (this.#isObserver) return { type: "fetch-history", fetch: { epoch, first, last } };
    return { type: "signed", envelope: signer.sign({ type: "fetch-committed", epoch, first, last }) };
  }

  get #isObserver(): boolean {
    return this.#options.signer.self === NO_MEMBER;
  }

  #stop(out: Outbox): void {
    this.#fetch = undefined;
    out.push({ type: "cancel-timer", timer: "fetch" });
  }
}
