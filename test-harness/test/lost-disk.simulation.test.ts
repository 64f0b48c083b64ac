import { type Fault, type Marks, NO_CHANGES, optionsForSeed, Simulation } from "@quorate/test-harness";
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
      "twice, one soon after the other",
      [
        { type: "lose-disk", atMs: 300, replica: 2, downMs: 30 },
        { type: "lose-disk", atMs: 400, replica: 2, downMs: 30 },
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
        const options = { ...optionsForSeed(seed), ...NO_CHANGES, replicas: 4, byzantine: [], faults };
        const { marks } = new Simulation(options).run();
        expect(marks.count("mute: voted again"), `seed ${seed}`).to.be.at.least(1);
      }
    });
});

describe("a replica whose disk is damaged in a simulated cluster (protocol rule 8.4)", () => {
  const run = (seed: number, replicas: number, faults: readonly Fault[]): Marks => {
    const drawn = optionsForSeed(seed);
    const disk = { ...drawn.disk, store: "files" } as const;
    return new Simulation({ ...drawn, ...NO_CHANGES, replicas, byzantine: [], clocks: [], disk, faults }).run().marks;
  };

  for (const damage of ["missing-log", "missing-database"] as const)
    it(`finds ${damage}, comes back mute and votes again`, () => {
      const marks = run(1, 4, [{ type: "disk-damage", atMs: 500, replica: 1, damage, downMs: 30 }]);
      expect([marks.count("disk: damage found, mute"), marks.count("mute: voted again")]).to.deep.equal([1, 1]);
    });

  it("stays down when the disk is another's, and the rest goes on", () => {
    const marks = run(1, 4, [{ type: "disk-damage", atMs: 500, replica: 1, damage: "foreign-folder", downMs: 30 }]);
    expect(marks.count("disk: damage found, storage.foreign")).to.equal(1);
    expect(marks.count("disk: lost")).to.equal(0);
  });

  it("goes on when only its history is damaged, and gives that to nobody: the one who asks gets it elsewhere", () => {
    for (const seed of [11, 21]) {
      const marks = run(seed, 7, [
        { type: "disk-damage", atMs: 500, replica: 1, damage: "bit-in-entry", downMs: 30 },
        { type: "lose-disk", atMs: 700, replica: 2, downMs: 30 },
      ]);
      expect(marks.count("disk: damage found, in the history only"), `seed ${seed}`).to.equal(1);
      expect(marks.count("rejected: history.damaged"), `seed ${seed}`).to.be.at.least(1);
      expect(marks.count("mute: voted again"), `seed ${seed}, only of the other one`).to.equal(1);
    }
  });
});
