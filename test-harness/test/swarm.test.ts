import { type Fault, isLinked, optionsForSeed } from "@quorate/test-harness";
import { expect } from "chai";

const DRAWN = Array.from({ length: 200 }, (_, seed) => optionsForSeed(seed));

function faultsOf<T extends Fault["type"]>(type: T): readonly Extract<Fault, { type: T }>[] {
  return DRAWN.flatMap(({ faults }) => faults.filter((fault) => fault.type === type)) as Extract<Fault, { type: T }>[];
}

describe("The faults that 200 seeds draw", () => {
  it("cut every single direction between two of four replicas, and isolate in each direction", () => {
    // Twelve directions, of which a seed in three cuts one.
    const drawn = Array.from({ length: 600 }, (_, seed) => optionsForSeed(seed));
    const edges = new Set(
      drawn
        .filter(({ replicas }) => replicas === 4)
        .flatMap(({ faults }) =>
          faults.flatMap((fault) => (fault.type === "cut-edge" ? [`${fault.from}>${fault.to}`] : [])),
        ),
    );
    const all = [0, 1, 2, 3].flatMap((from) => [0, 1, 2, 3].flatMap((to) => (from === to ? [] : [`${from}>${to}`])));

    expect([...edges].sort()).to.deep.equal(all);
    expect(new Set(faultsOf("cut").map(({ direction }) => direction))).to.deep.equal(new Set(["in", "out", "both"]));
  });

  it("split 2/2, 3/1 and 1/1/1/1, leave rings and bridges, and let one half hear the other only", () => {
    const sizes = faultsOf("partition").map(({ groups }) =>
      groups
        .map(({ length }) => length)
        .sort()
        .join("/"),
    );
    const shapes = faultsOf("links").map(({ shape }) => shape);

    expect(sizes).to.include.members(["2/2", "1/3", "1/1/1/1"]);
    expect(new Set(shapes)).to.deep.equal(new Set(["ring", "bridge", "one-way"]));
  });

  it("cut clients off f, f+1, 2f and all replicas in each direction, and put them into halves of partitions", () => {
    const cuts = faultsOf("cut-client");
    const f = (replicas: number): number => Math.floor((replicas - 1) / 3);

    expect(new Set(cuts.map(({ of, direction }) => `${of} ${direction}`))).to.deep.equal(
      new Set([
        "partition both",
        ...["f", "f+1", "2f", "all"].flatMap((of) => [`${of} in`, `${of} out`, `${of} both`]),
      ]),
    );
    for (const { seed, replicas, clients, faults } of DRAWN)
      for (const fault of faults) {
        if (fault.type !== "cut-client") continue;
        const sizes = { f: f(replicas), "f+1": f(replicas) + 1, "2f": 2 * f(replicas), all: replicas, partition: 0 };
        expect(fault.client, `seed ${seed}`).to.be.below(clients);
        expect(fault.replicas.every((id) => id < replicas)).to.equal(true);
        if (fault.of !== "partition") expect(new Set(fault.replicas).size, `seed ${seed}`).to.equal(sizes[fault.of]);
        else {
          const halves = faults.flatMap((other) => (other.type === "partition" ? other.groups : []));
          const heard = Array.from({ length: replicas }, (_, id) => id).filter((id) => !fault.replicas.includes(id));
          expect(halves.map((half) => half.join())).to.include(heard.join());
        }
      }
  });

  it("never make more than f replicas faulty, nor damage a disk that has no files", () => {
    for (const { seed, replicas, byzantine, faults, disk } of DRAWN) {
      const damaged = faults.filter(({ type }) => type === "disk-damage").length;
      const faulty = [...byzantine, ...faults].flatMap((fault) =>
        "behaviour" in fault || ["disk-damage", "lose-disk", "diverge"].includes(fault.type) ? [fault] : [],
      );
      const ids = new Set(faulty.map((fault) => ("replica" in fault ? fault.replica : -1)));
      expect(ids.size, `seed ${seed}`).to.be.at.most(Math.floor((replicas - 1) / 3));
      if (disk.store === "memory") expect(damaged, `seed ${seed}`).to.equal(0);
    }
  });

  it("make the state of one replica wrong now and then, of one that keeps what it has said", () => {
    const seeds = DRAWN.filter(({ faults }) => faults.some(({ type }) => type === "diverge"));

    expect(seeds.length).to.be.greaterThan(20);
    for (const { seed, faults } of seeds) {
      const wrong = new Set(faults.flatMap((fault) => (fault.type === "diverge" ? [fault.replica] : [])));
      const losing = faults.flatMap((fault) =>
        fault.type === "lose-disk" || fault.type === "disk-damage" || fault.type === "damage-state"
          ? [fault.replica]
          : [],
      );
      expect(wrong.size, `seed ${seed}`).to.equal(1);
      expect(
        losing.filter((replica) => wrong.has(replica)),
        `seed ${seed}`,
      ).to.deep.equal([]);
    }
  });

  it("run the production log over files in one seed of five or so", () => {
    const files = DRAWN.filter(({ disk }) => disk.store === "files").length;

    expect(files / DRAWN.length).to.be.within(0.15, 0.25);
  });
});

describe("Links that are left", () => {
  const linked = (shape: Parameters<typeof isLinked>[0], count: number): string[] =>
    Array.from({ length: count }, (_, from) => from).flatMap((from) =>
      Array.from({ length: count }, (_, to) => to).flatMap((to) =>
        from !== to && isLinked(shape, from, to, count) ? [`${from}>${to}`] : [],
      ),
    );

  it("of a ring go to the neighbours", () => {
    expect(linked("ring", 4)).to.deep.equal(["0>1", "0>3", "1>0", "1>2", "2>1", "2>3", "3>0", "3>2"]);
  });

  it("of a bridge go through one replica", () => {
    expect(linked("bridge", 4)).to.deep.equal(["0>1", "0>2", "0>3", "1>0", "2>0", "2>3", "3>0", "3>2"]);
  });

  it("of one way only go from the first half to the second", () => {
    expect(linked("one-way", 4)).to.deep.equal(["0>1", "0>2", "0>3", "1>0", "1>2", "1>3", "2>3", "3>2"]);
  });
});
