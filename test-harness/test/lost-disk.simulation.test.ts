import { type Fault, optionsForSeed, Simulation } from "@quorate/test-harness";
import { expect } from "chai";

const all = [0, 1, 2, 3];

describe("a replica that loses its disk in a simulated cluster (protocol rule 8.5)", () => {
  for (const [title, faults] of [
    ["and nothing else happens", [{ type: "lose-disk", atMs: 500, replica: 2, downMs: 30 }]],
    ["as the first primary", [{ type: "lose-disk", atMs: 500, replica: 0, downMs: 30 }]],
    [
      "and is killed again and again while it is mute",
      [
        { type: "lose-disk", atMs: 400, replica: 1, downMs: 1 },
        ...[450, 600, 900, 1_200].map((atMs): Fault => ({ type: "crash", atMs, replicas: [1], downMs: 20 })),
      ],
    ],
    [
      "and then all lose their power",
      [
        { type: "lose-disk", atMs: 400, replica: 3, downMs: 30 },
        { type: "crash", atMs: 800, replicas: all, downMs: 20 },
      ],
    ],
    [
      "twice",
      [
        { type: "lose-disk", atMs: 300, replica: 2, downMs: 30 },
        { type: "lose-disk", atMs: 900, replica: 2, downMs: 30 },
      ],
    ],
    [
      "while the primaries fail",
      [
        { type: "lose-disk", atMs: 400, replica: 2, downMs: 200 },
        { type: "isolate-primaries", atMs: 500, times: 3, eachMs: 400 },
      ],
    ],
  ] as const satisfies readonly (readonly [string, readonly Fault[]])[])
    it(`votes again when it loses it ${title}`, () => {
      for (const seed of [1, 2]) {
        const options = { ...optionsForSeed(seed), replicas: 4, byzantine: [], faults };
        const { marks } = new Simulation(options).run();
        expect(marks.count("mute: voted again"), `seed ${seed}`).to.be.at.least(1);
      }
    });
});
