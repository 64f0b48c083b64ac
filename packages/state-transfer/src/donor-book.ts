import type { ReplicaId } from "@quorate/protocol";

export interface DonorBookOptions {
  readonly donors: readonly ReplicaId[];
  /** Requests that one donor may have unanswered. */
  readonly requestsPerDonorMax: number;
  /** How long an answer may take at most. */
  readonly timeoutMs: number;
}

interface Donor {
  readonly id: ReplicaId;
  unanswered: number;
  /** Chunks that no correct donor sends; it is asked no more after one. */
  offences: number;
  isRefused: boolean;
  /** It does not keep the target. */
  isUnavailable: boolean;
  /** Nothing is asked of it before. */
  restsUntilMs: number;
  /** In a row. */
  timeouts: number;
  /** Items in a row that it has not, though it keeps the target. */
  missing: number;
  /** How long answers take, the last ones counting most; undefined before the first. */
  answerMs: number | undefined;
  lastAsked: number;
}

const TIMEOUT_MIN_MS = 500;
/** So much longer than the fastest donor another one may take. */
const SLOWNESS_MAX = 8;
const MISSING_MAX = 64;

/** What is known of the donors: who may be asked, for how long one waits for it, and who is asked no more. */
export class DonorBook {
  readonly #options: DonorBookOptions;
  readonly #donors: ReadonlyMap<ReplicaId, Donor>;
  #asked = 0;

  constructor(options: DonorBookOptions) {
    this.#options = options;
    this.#donors = new Map(options.donors.map((id) => [id, newDonor(id)]));
  }

  /** Another target: who lied about the last one gets another chance, after all others. */
  onTarget(): void {
    for (const donor of this.#donors.values()) {
      donor.unanswered = 0;
      donor.isRefused = false;
      donor.isUnavailable = false;
      donor.missing = 0;
    }
  }

  /** Whom to ask next, of those that are not passed over. */
  next(atMs: number, passedOver: ReadonlySet<ReplicaId>): ReplicaId | undefined {
    let best: Donor | undefined;
    for (const donor of this.#donors.values()) {
      if (donor.isRefused || donor.isUnavailable || donor.restsUntilMs > atMs || passedOver.has(donor.id)) continue;
      if (donor.unanswered >= this.#options.requestsPerDonorMax) continue;
      if (best === undefined || isBetter(donor, best)) best = donor;
    }
    return best?.id;
  }

  /** How long this donor's answer may take: what is slow is told by the others. */
  timeoutOf(id: ReplicaId): number {
    const { timeoutMs } = this.#options;
    let fastestMs = timeoutMs;
    for (const { answerMs } of this.#donors.values()) fastestMs = Math.min(fastestMs, answerMs ?? timeoutMs);
    const leastMs = Math.min(timeoutMs, Math.max(TIMEOUT_MIN_MS, SLOWNESS_MAX * fastestMs));
    return Math.min(timeoutMs, leastMs * 2 ** (this.#donors.get(id)?.timeouts ?? 0));
  }

  onAsked(id: ReplicaId): void {
    const donor = this.#donors.get(id);
    if (donor === undefined) return;
    donor.unanswered++;
    donor.lastAsked = ++this.#asked;
  }

  onAnswer(id: ReplicaId, tookMs: number): void {
    const donor = this.#donors.get(id);
    if (donor === undefined) return;
    donor.unanswered--;
    donor.timeouts = 0;
    donor.answerMs = donor.answerMs === undefined ? tookMs : (3 * donor.answerMs + tookMs) / 4;
  }

  /** It goes to the end of the line for as long as it has kept everyone waiting, and is given more time then. */
  onTimeout(id: ReplicaId, atMs: number): void {
    const donor = this.#donors.get(id);
    if (donor === undefined) return;
    donor.unanswered--;
    donor.restsUntilMs = atMs + this.timeoutOf(id);
    donor.timeouts++;
    donor.answerMs = undefined;
  }

  /** A request to it is given up for another reason than time. */
  onGivenUp(id: ReplicaId): void {
    const donor = this.#donors.get(id);
    if (donor !== undefined) donor.unanswered--;
  }

  onUnavailable(id: ReplicaId): void {
    const donor = this.#donors.get(id);
    if (donor !== undefined) donor.isUnavailable = true;
  }

  onOffence(id: ReplicaId): void {
    const donor = this.#donors.get(id);
    if (donor === undefined) return;
    donor.offences++;
    donor.isRefused = true;
  }

  onItems(id: ReplicaId, given: number, missing: number): void {
    const donor = this.#donors.get(id);
    if (donor === undefined) return;
    donor.missing = given > 0 ? missing : donor.missing + missing;
    if (donor.missing > MISSING_MAX) this.onOffence(id);
  }

  /** Nobody can be asked, and a pause did not change that: those with the fewest offences are asked again. */
  readmit(): void {
    const donors = [...this.#donors.values()];
    for (const donor of donors) {
      donor.restsUntilMs = 0;
      donor.missing = 0;
    }
    for (const donor of donors) donor.isUnavailable = false;
    const refused = donors.filter(({ isRefused }) => isRefused);
    const fewest = Math.min(...refused.map(({ offences }) => offences));
    for (const donor of refused) if (donor.offences === fewest) donor.isRefused = false;
  }
}

function newDonor(id: ReplicaId): Donor {
  return {
    ...{ id, unanswered: 0, offences: 0, isRefused: false, isUnavailable: false, restsUntilMs: 0 },
    ...{ timeouts: 0, missing: 0, answerMs: undefined, lastAsked: 0 },
  };
}

function isBetter(a: Donor, b: Donor): boolean {
  if (a.offences !== b.offences) return a.offences < b.offences;
  if (a.timeouts !== b.timeouts) return a.timeouts < b.timeouts;
  return a.unanswered !== b.unanswered ? a.unanswered < b.unanswered : a.lastAsked < b.lastAsked;
}
