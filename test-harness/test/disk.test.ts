import { clusterId, publicKey, sequenceNumber } from "@quorate/protocol";
import type { LogEntry, ReplicaStore, StoreIdentity } from "@quorate/storage";
import { storeCompliance } from "@quorate/storage/compliance";
import { FileStore, formatFileStore, type LogFiles } from "@quorate/storage/memory";
import {
  DISK_DAMAGES,
  FileDisk,
  FlushTimes,
  filesWith,
  HARMLESS_DAMAGES,
  LogWitness,
  Marks,
  Prng,
  SimulatedFiles,
  Violation,
  VirtualClock,
} from "@quorate/test-harness";
import { expect } from "chai";

const CLUSTER = clusterId("c".repeat(64));
const SEEDS = 40;

interface Rig {
  readonly disk: FileDisk;
  readonly other: FileDisk;
  readonly marks: Marks;
  /** Lets virtual time pass. */
  run(ms: number): void;
}

function rig(seed: string, files?: (files: LogFiles) => LogFiles): Rig {
  const [clock, marks, prng] = [new VirtualClock(), new Marks(), new Prng(seed)];
  const faults = { store: "files", flushMs: [1, 4], slow: 0, slowMs: 0, historyBytesMax: 1e9 } as const;
  const create = (id: number): FileDisk => {
    const own = prng.fork(`disk ${id}`);
    const times = new FlushTimes({ clock, prng: own, faults, marks, awake: (task) => task() });
    return new FileDisk({ name: `r${id}`, identity: identityOf(id), times, prng: own, marks, files });
  };
  const run = (ms: number): void => {
    const untilMs = clock.nowMs + ms;
    while (clock.runNext(untilMs));
  };
  return { disk: create(0), other: create(1), marks, run };
}

/** Writes records of some numbers, each a group of its own, and some history; a cut now and then. */
function fill({ run }: Rig, disk: FileDisk, numbers: number): void {
  const store = disk.open();
  expect(store).to.not.equal(undefined);
  for (let seq = 1; seq <= numbers; seq++) {
    store?.log.append(sequenceNumber(seq), Buffer.alloc(700, seq));
    store?.history.put(sequenceNumber(seq), Buffer.alloc(100, seq));
    if (seq % 8 === 0) store?.log.cut(sequenceNumber(seq - 4));
    store?.flushLog(() => undefined);
    run(20);
  }
}

function numbersIn(disk: FileDisk): readonly number[] {
  return [...(disk.open()?.log.entries() ?? [])].map(({ seq }) => Number(seq));
}

/** Files of a log in which the last group is not seen. */
function withoutLastGroup(files: LogFiles): LogFiles {
  return filesWith(files, {
    read: (segment) => {
      const content = files.read(segment);
      return content.subarray(0, Math.max(0, content.lastIndexOf("QWAL")));
    },
  });
}

/** Whether a replica begins to live on the disk, or what it violates. */
function outcomeOf({ disk }: Rig): string {
  try {
    disk.open();
    return "passed";
  } catch (error) {
    return error instanceof Violation ? error.property : String(error);
  }
}

describe("A simulated disk of files", () => {
  it("holds after any power cut what was flushed, and at most the write under way besides", () => {
    const marks = new Marks();
    for (let seed = 0; seed < SEEDS; seed++) {
      const scene = rig(`cut ${seed}`);
      fill(scene, scene.disk, 60);
      // Begun, and not done.
      for (const seq of [61, 62]) scene.disk.store?.log.append(sequenceNumber(seq), Buffer.alloc(700, seq));
      scene.disk.store?.flushLog(() => undefined);
      scene.run(0.5);
      scene.disk.crash("power-cut");

      const held = numbersIn(scene.disk);
      const flushed = Array.from({ length: 60 }, (_, i) => i + 1).filter((seq) => seq > 52);
      expect([flushed, [...flushed, 61, 62]], `seed ${seed}`).to.deep.include(held);
      for (const [mark, count] of scene.marks.entries()) marks.add(mark, count);
    }
    const fates = ["lost", "cut short", "torn by sectors", "kept before it was confirmed"];
    expect(marks.missing(fates.map((fate) => `disk: write ${fate}`))).to.deep.equal([]);
    expect(marks.missing(["disk: segment begun", "disk: segment deleted"])).to.deep.equal([]);
  });

  for (const damage of DISK_DAMAGES)
    it(`says of damage of the kind ${damage} that it is there, or has lost nothing that it knew of`, () => {
      let found = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const scene = rig(`${damage} ${seed}`);
        fill(scene, scene.other, 20);
        fill(scene, scene.disk, 60);
        scene.run(600);
        scene.disk.crash("power-cut");
        scene.disk.damage(damage, scene.other);

        // Throws when damage is served.
        if (scene.disk.open() === undefined || scene.marks.count("disk: damage found, in the history only") > 0)
          found += 1;
      }
      if (HARMLESS_DAMAGES.includes(damage)) expect(found).to.equal(0);
      else expect(found).to.be.greaterThan(SEEDS / 4);
    });

  describe("whose process is killed", () => {
    const ends = ["zero-tail", "garbage-tail", "truncated", "bit-in-log"] as const;
    const IN_VAIN = "disk: failed write shown, and taken for written";
    const tornOver = "disk: damage behind the mark, taken for a torn write";

    for (const damage of ends)
      it(`says of all damage of the kind ${damage} that it is there, up to the last group that was flushed`, () => {
        const marks = { kill: new Marks(), "power-cut": new Marks() };
        for (let seed = 0; seed < 2 * SEEDS; seed++)
          for (const by of ["kill", "power-cut"] as const) {
            const scene = rig(`${damage} ${by} ${seed}`);
            fill(scene, scene.other, 1);
            fill(scene, scene.disk, 9);
            scene.disk.crash(by);
            scene.disk.damage(damage, scene.other, 1);
            scene.disk.open();
            for (const [mark, count] of scene.marks.entries()) marks[by].add(mark, count);
          }
        expect(marks.kill.count(tornOver)).to.equal(0);
        expect(marks.kill.count("disk: damage found, storage.damaged")).to.equal(2 * SEEDS);
        // A power cut may take the marks along.
        expect(marks["power-cut"].count(tornOver)).to.be.greaterThan(0);
      });

    it("keeps after a power cut what a restart found in the operating system's memory and took for its own", () => {
      let takenOver = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const scene = rig(`kill ${seed}`);
        const found = foundAfterKill(scene);
        takenOver += found.includes(4) ? 1 : 0;
        scene.disk.crash("power-cut");

        expect(numbersIn(scene.disk), `seed ${seed}`).to.deep.equal(found);
      }
      expect(takenOver).to.be.within(1, SEEDS - 1);
    });

    it("keeps what a restart took over of a write that had failed, and that a sync alone does not bring to the disk", () => {
      let takenInVain = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const scene = rig(`failed ${seed}`);
        const found = foundAfterFailure(scene);
        if (found.includes(4)) takenInVain += scene.marks.count(IN_VAIN);
        scene.disk.crash("power-cut");

        expect(numbersIn(scene.disk), `seed ${seed}`).to.deep.equal(found);
      }
      expect(takenInVain).to.be.greaterThan(0);
    });

    it("says of damage to what a restart took over that it is there, when it is killed again", () => {
      let takenOver = 0;
      for (let seed = 0; seed < SEEDS; seed++) {
        const scene = rig(`kill ${seed}`);
        fill(scene, scene.other, 1);
        takenOver += foundAfterKill(scene).includes(4) ? 1 : 0;
        scene.disk.crash("kill");
        scene.disk.damage("zero-tail", scene.other, 1);

        expect(scene.disk.open(), `seed ${seed}`).to.equal(undefined);
        expect(scene.marks.count("disk: damage found, storage.damaged"), `seed ${seed}`).to.equal(1);
      }
      expect(takenOver).to.be.within(1, SEEDS - 1);
    });

    it("has all it needs when the power is cut while a restart repairs the log", () => {
      const removing: string[][] = [];
      for (let seed = 0; seed < SEEDS; seed++) {
        const calls: string[] = [];
        let isCut = true;
        const scene = rig(`repair ${seed}`, (files) =>
          filesWith(files, {
            settle: (segment, from) => {
              calls.push("settle");
              if (isCut) throw new Error("the power is cut");
              files.settle(segment, from);
            },
            removeNow: (segment) => {
              calls.push("remove");
              files.removeNow(segment);
            },
          }),
        );
        isCut = false;
        fillTwoSegments(scene);
        isCut = true;
        expect(() => scene.disk.open()).to.throw("the power is cut");
        isCut = false;
        scene.disk.crash("power-cut");
        calls.length = 0;

        expect(scene.disk.open(), `seed ${seed}`).to.not.equal(undefined);
        if (calls.includes("remove")) removing.push(calls);
      }
      expect(removing).to.not.be.empty;
      for (const calls of removing) expect(calls).to.deep.equal(["settle", "remove"]);
    });

    const planted: readonly [what: string, settle: (files: LogFiles) => LogFiles["settle"]][] = [
      ["does not sync what it found", (): LogFiles["settle"] => () => undefined],
      ["only syncs what it found", (files) => (segment) => files.settle(segment, files.read(segment).length)],
    ];
    for (const [what, settle] of planted)
      it(`catches a restart that ${what}`, () => {
        const outcomes = Array.from({ length: SEEDS }, (_, seed) => {
          const scene = rig(`failed ${seed}`, (files) => filesWith(files, { settle: settle(files) }));
          foundAfterFailure(scene);
          scene.disk.crash("power-cut");
          return outcomeOf(scene);
        });
        // The power cut may take the mark along.
        expect(new Set(outcomes)).to.deep.equal(
          new Set(["passed", "storage.refused-without-damage", "storage.promises-lost"]),
        );
      });

    it("catches a log that is not marked", () => {
      const scene = rig("unmarked", (files) =>
        filesWith(files, {
          openMarks: () => ({ read: () => Buffer.alloc(0), write: () => undefined, close: (done) => done(null) }),
        }),
      );
      fill(scene, scene.disk, 3);

      expect(() => scene.disk.crash("kill")).to.throw(Violation, "storage.flush-unmarked");
    });

    /** Its fourth record was being written when it was killed. */
    function foundAfterKill(scene: Rig): readonly number[] {
      fill(scene, scene.disk, 3);
      scene.disk.store?.log.append(sequenceNumber(4), Buffer.alloc(700, 4));
      scene.disk.store?.flushLog(() => undefined);
      scene.run(0.5);
      scene.disk.crash("kill");
      return numbersIn(scene.disk);
    }

    /** The write of its fourth record failed, and it stopped by itself. */
    function foundAfterFailure(scene: Rig): readonly number[] {
      fill(scene, scene.disk, 3);
      scene.disk.failNextFlush();
      scene.disk.store?.log.append(sequenceNumber(4), Buffer.alloc(700, 4));
      scene.disk.store?.flushLog(() => undefined);
      scene.run(50);
      scene.disk.crash("kill");
      return numbersIn(scene.disk);
    }

    /** A cut of all that is in the first of two segments was being written when it was killed. */
    function fillTwoSegments(scene: Rig): void {
      const store = scene.disk.open();
      for (let seq = 1; seq <= 40; seq++) {
        store?.log.append(sequenceNumber(seq), Buffer.alloc(700, seq));
        store?.flushLog(() => undefined);
        scene.run(20);
      }
      store?.log.cut(sequenceNumber(38));
      store?.flushLog(() => undefined);
      scene.run(0.5);
      scene.disk.crash("kill");
    }
  });

  it("takes no damage that takes nothing away for an excuse", () => {
    const outcomes = Array.from({ length: SEEDS }, (_, seed) => {
      const scene = rig(`harmless ${seed}`, withoutLastGroup);
      fill(scene, scene.other, 1);
      fill(scene, scene.disk, 3);
      scene.disk.crash("kill");
      scene.disk.damage("bit-in-marks", scene.other);
      return outcomeOf(scene);
    });
    expect(new Set(outcomes)).to.deep.equal(new Set(["storage.refused-without-damage", "storage.promises-lost"]));
  });

  it("is full until there is space again: what was not written then is not there, what was is", () => {
    const scene = rig("full");
    fill(scene, scene.disk, 3);
    scene.disk.isFull = true;
    const failures: (string | undefined)[] = [];
    scene.disk.store?.log.append(sequenceNumber(4), Buffer.alloc(700, 4));
    scene.disk.store?.flushLog((failure) => failures.push(failure?.code));
    scene.run(50);
    scene.disk.crash("power-cut");
    scene.disk.isFull = false;

    expect(failures).to.deep.equal(["storage.flush-failed"]);
    fill(scene, scene.disk, 3);
  });

  it("catches a recovery that drops a group which was flushed", () => {
    const scene = rig("drops", withoutLastGroup);
    fill(scene, scene.disk, 3);
    scene.disk.crash("power-cut");

    expect(() => scene.disk.open()).to.throw(Violation, "storage.promises-lost");
  });
});

describe("The witness of a log", () => {
  const entry = (seq: number): LogEntry => ({ seq: sequenceNumber(seq), record: Uint8Array.of(seq) });
  const scene = (): LogWitness => {
    const witness = new LogWitness();
    witness.begin(0);
    const log = witness.watch({ append: () => undefined, cut: () => undefined, entries: () => [] });
    for (const seq of [1, 2, 3, 4]) {
      log.append(sequenceNumber(seq), Uint8Array.of(seq));
      witness.onWrite();
      if (seq < 4) witness.onDurable();
    }
    return witness;
  };

  it("accepts all that was durable, with or without the write under way", () => {
    expect(scene().lackedBy([1, 2, 3].map(entry))).to.equal(0);
    expect(scene().lackedBy([1, 2, 3, 4].map(entry))).to.equal(0);
  });

  it("counts on over lives, with the write under way if it was kept", () => {
    for (const kept of [3, 4]) {
      const witness = scene();
      witness.begin(kept);
      expect(witness.lackedBy(Array.from({ length: kept }, (_, i) => entry(i + 1)))).to.equal(0);
      expect(witness.lackedBy([entry(1)])).to.equal(kept - 1);
    }
  });

  it("counts the groups that are missing at the end, and refuses what was never there", () => {
    expect(scene().lackedBy([1, 2].map(entry))).to.equal(1);
    expect(scene().lackedBy([entry(1)])).to.equal(2);
    expect(scene().lackedBy([1, 3].map(entry))).to.equal(undefined);
    expect(scene().lackedBy([1, 2, 5].map(entry))).to.equal(undefined);
  });
});

interface Opened {
  readonly files: SimulatedFiles;
  readonly open: () => FileStore;
  readonly store: FileStore;
}

const opened = new WeakMap<ReplicaStore, Opened>();

function openAgain(files: SimulatedFiles, open: () => FileStore): FileStore {
  const store = open();
  opened.set(store, { files, open, store });
  return store;
}

function identityOf(id: number): StoreIdentity {
  return { cluster: CLUSTER, owner: publicKey(`${id}`.repeat(64)) };
}

storeCompliance(
  { describe, it },
  {
    name: "the write-ahead log over simulated files",
    async create(options) {
      const prng = new Prng("compliance");
      const [schedule, soon] = [queueMicrotask, queueMicrotask];
      const told = { onWrite: () => undefined, onDurable: () => undefined };
      const files = new SimulatedFiles({ place: "files", prng, marks: new Marks(), schedule, soon, ...told });
      const identity = identityOf(0);
      const disk = { entries: formatFileStore(identity, prng.bytes(16)), spool: { bytes: Buffer.alloc(0) } };
      return openAgain(files, () => new FileStore({ identity, files, ...disk, schedule, ...options }));
    },
    async reopen(store) {
      await store.close();
      const { files, open } = opened.get(store) as Opened;
      return openAgain(files, open);
    },
    async crash(store) {
      const { files, open } = opened.get(store) as Opened;
      (store as FileStore).crash(0);
      files.crash("power-cut");
      return openAgain(files, open);
    },
  },
);
