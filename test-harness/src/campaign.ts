import { Marks } from "./marks.ts";
import { Simulation, type SimulationReport } from "./simulation.ts";
import { optionsForSeed } from "./swarm.ts";

/**
 * What must have happened at least once in a campaign of `MARKS_AFTER_SEEDS` seeds: a kind of event that never happens
 * is not tested, whatever the number of seeds.
 */
export const EXPECTED_MARKS: readonly string[] = [
  // Faults.
  "network: frame lost",
  "network: frame duplicated",
  "network: frame overtaken",
  "network: frame cut off",
  "network: frame lost in a crash",
  "cut: in",
  "cut: out",
  "cut: both",
  "crash: backup",
  "crash: primary",
  "crash: all at once",
  "restart: backup",
  "restart: primary",
  "disk: unflushed log records lost",
  "disk: unflushed log records kept",
  "disk: unflushed state lost",
  "disk: unflushed state kept",
  "disk: slow flush",
  "disk: flush failed",
  "byzantine: silent frame",
  "byzantine: wrong-replies reply",
  "byzantine: wrong-votes frame",
  "byzantine: corrupt-bodies frame",
  "byzantine: wrong-checkpoints frame",
  "byzantine: replays frame",
  "faulty client: request",
  // What the cluster did about them.
  "replica: recovered with state",
  "checkpoint: stable",
  "backlog: message above the window",
  "batch body arrived",
  "evidence",
  "sent to all: fetch-batch",
  "sent to one: batch-body",
  "sent to one: checkpoint",
  "sent to one: commit",
  "sent to one: committed",
  "sent to one: fetch-committed",
  "sent to one: pre-prepare",
  "sent to one: prepare",
  "sent to one: request",
  "sent to one: stable-checkpoint",
  "timer: clock-wait",
  "timer: fetch",
  "timer: status",
  // What it refused.
  "refused: overloaded",
  "rejected: ingress.bad-batch",
  "rejected: ingress.bad-certificate",
  "rejected: ingress.bad-signature",
  "rejected: ingress.foreign-vote",
  "rejected: ingress.redundant",
  "rejected: request.queue-full",
  "rejected: vote.conflicting",
  "rejected: window.below",
  "faulty client: refused",
  "faulty client: number-reused",
  "faulty client: too-old",
  "faulty client: session-unknown",
  "faulty client: registration-expired",
  "faulty client: registration-too-far",
  "faulty client: registration-quota",
  // What clients saw.
  "client: request sent again",
  "client: request sent to another",
  "client: reply not needed",
  "reply: made again",
  "operation: threw",
  "settled: ok",
  "settled: failed",
  "settled: client.cancelled none",
  "settled: client.cancelled unknown",
  "settled: client.no-quorum none",
  "settled: client.no-quorum unknown",
];

/** The smallest campaign of which all expected marks may be demanded. */
export const MARKS_AFTER_SEEDS = 200;

/** What a campaign has seen so far. */
export interface CampaignTally {
  readonly seeds: number;
  readonly failures: readonly Error[];
  readonly marks: Marks;
  readonly steps: number;
  readonly operations: number;
}

/** Runs seed after seed and adds up what happened. */
export class Campaign {
  readonly #marks = new Marks();
  readonly #failures: Error[] = [];
  #seeds = 0;
  #steps = 0;
  #operations = 0;

  get tally(): CampaignTally {
    const { seeds, steps, operations } = { seeds: this.#seeds, steps: this.#steps, operations: this.#operations };
    return { seeds, failures: this.#failures, marks: this.#marks, steps, operations };
  }

  /** Runs one seed; the error of one that failed is kept, and thrown again. */
  run(seed: number): SimulationReport {
    this.#seeds += 1;
    try {
      const report = new Simulation(optionsForSeed(seed)).run();
      this.#marks.addAll(report.marks);
      this.#steps += report.steps;
      this.#operations += report.operations;
      return report;
    } catch (failure) {
      this.#failures.push(failure instanceof Error ? failure : new Error(String(failure)));
      throw failure;
    }
  }
}
