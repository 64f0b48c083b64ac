import { utf8 } from "@quorate/protocol";
import type { Service } from "@quorate/state-machine";
import { type Fault, type Plant, Simulation, type UnrestReport } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

/** What each process counts from: no two count alike, and none counts on where it ended. */
const PROCESS_STEP = 1_000;
/** Above the first checkpoints of these runs. */
const LATER = 20;
/** Long enough for what the first three repairs in a row wait for, and long enough for all of them. */
const SOON_MS = 60_000;
const LATE_MS = 1_300_000;

/** A service that answers with a counter of its process, and keeps it. */
function processCounters(): Plant {
  let processes = 0;
  const inner = (): Service => {
    let counter = ++processes * PROCESS_STEP;
    return { execute: (_operation, state) => kept(state, String(++counter)) };
  };
  return { inner, wrongFrom: 1 };
}

/** Answers that are each replica's own, the same after a restart, from the middle of a run on. */
function ownAnswers(): Plant {
  const service = (kv: Service, replica: number): Service => ({
    ...kv,
    execute: (operation, state, context) => {
      const answer = kv.execute(operation, state, context);
      return context.seq < LATER ? answer : kept(state, `${replica} at ${context.seq}`);
    },
  });
  return { service, wrongFrom: LATER };
}

function kept(state: Parameters<Service["execute"]>[1], answer: string): Uint8Array {
  state.put(utf8("answer"), utf8(answer));
  return utf8(answer);
}

/** All that repairs are made of: these counts stand still when nothing is tried any more. */
function repairsOf({ marks }: UnrestReport): readonly (readonly [string, number])[] {
  return marks.entries().filter(([name]) => /^(audit|state transfer|checkpoint|view): /.test(name));
}

describe("a service that is deterministic at no replica (protocol rule 9.5)", () => {
  const restarts = (replicas: number): Fault[] =>
    [1_000, 2_000, 3_000, 4_000, 5_000].map((atMs) => {
      const all = Array.from({ length: replicas }, (_, id) => id);
      return { type: "crash", atMs, by: "kill", replicas: all, downMs: 20 };
    });

  for (const [replicas, seed] of [
    [4, 1],
    [4, 2],
    [4, 3],
    [7, 1],
  ] as const)
    for (const [title, plant, faults] of [
      ["from the first operation on", processCounters, []],
      ["after some checkpoints", ownAnswers, []],
      ["after some checkpoints, and is restarted again and again", ownAnswers, restarts(replicas)],
    ] as const)
      it(`is believed by nobody, and stands still, ${title}: ${replicas} replicas, seed ${seed}`, () => {
        const options = calmOptions(seed, { replicas, clients: 3, operations: 40, safetyMs: 6_000, faults });
        // The checkers see to it that no client believes what came of a number from which on the service differs.
        const soon = new Simulation(options, plant()).runRestless(SOON_MS);
        const late = new Simulation(options, plant()).runRestless(LATE_MS);

        expect(late.isAnswered).to.equal(plant === ownAnswers);
        expect(late.isSettled, "each call has come to an end").to.equal(true);
        expect(late.marks.count("settled: client.divergent unknown"), "clients are told").to.be.greaterThan(0);
        const f = Math.floor((replicas - 1) / 3);
        const wrong = late.replicas.filter(({ stateExecuted }) => stateExecuted === undefined);
        // Each of the others is contradicted by f at most, who might be liars: too few to order anything.
        expect(wrong.length, "stand still").to.be.greaterThan(f);
        expect(late.replicas.length).to.equal(replicas);
        expect(repairsOf(late), "nothing goes round").to.deep.equal(repairsOf(soon));
        for (const { status } of late.replicas) {
          expect(status.target, "views").to.be.at.most(2);
          // What was certified once is held, or being brought back.
          expect(status.executed).to.be.at.least(status.lowWatermark);
        }
      });
});
