import { EPOCH_MARKS, type Fault, type PlannedChange, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const SEEDS = process.env.QUORATE_FULL === "1" ? 40 : 2;
const EVERYONE = [0, 1, 2, 3];

/** K and L go down at this time, and up again at that. */
function changesAt(...timesMs: readonly number[]): readonly PlannedChange[] {
  return timesMs.map((atMs, i): PlannedChange => {
    const checkpointInterval = i % 2 === 0 ? 2 : 4;
    return { type: "parameters", atMs, checkpointInterval, windowSize: 2 * checkpointInterval };
  });
}

interface Joint {
  /** What happens at it. */
  readonly title: string;
  readonly mark: string;
  readonly changes: readonly PlannedChange[];
  readonly faults: readonly Fault[];
  readonly options?: Partial<SimulationOptions>;
}

const JOINTS: readonly Joint[] = [
  {
    title: "a view change between ordered and active",
    mark: EPOCH_MARKS.viewLeft,
    changes: changesAt(330),
    faults: [{ type: "crash", atMs: 400, replicas: ["primary"], by: "kill", downMs: 1_500 }],
    options: { windowSize: 64 },
  },
  {
    title: "a crash between ordered and active",
    mark: EPOCH_MARKS.crash,
    changes: changesAt(330),
    faults: [400, 470, 540].map((atMs) => ({ type: "crash", atMs, replicas: EVERYONE, by: "power-cut", downMs: 20 })),
    options: { windowSize: 64 },
  },
  {
    title: "a state transfer across an epoch",
    mark: EPOCH_MARKS.transfer,
    changes: changesAt(300, 700),
    faults: [{ type: "cut", atMs: 100, replica: 3, direction: "both", forMs: 1_500 }],
  },
  {
    title: "a client two epochs behind",
    mark: EPOCH_MARKS.clientBehind,
    changes: changesAt(300, 700, 1_100),
    faults: [
      { type: "cut-client", atMs: 100, client: 0, replicas: EVERYONE, of: "all", direction: "both", forMs: 1_800 },
    ],
  },
];

/** Epochs are short and no history is kept: whoever is left behind needs the state of the others. */
function run(seed: number, { changes, faults, options }: Joint): ReturnType<Simulation["run"]> {
  const sizes = { replicas: 4, clients: 3, operations: 40, safetyMs: 4_000, checkpointInterval: 4, windowSize: 8 };
  const calm = calmOptions(seed, { ...sizes, byzantine: [], faults, changes, ...options });
  return new Simulation({ ...calm, disk: { ...calm.disk, historyBytesMax: 0 } }).run();
}

describe("The joints of an epoch in the simulator (protocol rules 11.2 to 11.4)", () => {
  for (const joint of JOINTS)
    for (let seed = 0; seed < SEEDS; seed++)
      it(`${joint.title} happens, and every promise is kept, seed ${seed}`, () => {
        const { marks } = run(seed, joint);

        expect(marks.count(joint.mark), joint.mark).to.be.greaterThan(0);
        expect(marks.count(EPOCH_MARKS.begun), "at all but one of four").to.be.at.least(3);
      });
});
