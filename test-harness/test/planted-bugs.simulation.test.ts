import { decodeKvOperation, encodeKvResult } from "@quorate/kv";
import { type ReplicaId, replicaId, utf8, type VerifiedReply } from "@quorate/protocol";
import type { HostObserver } from "@quorate/server/host";
import type { Service } from "@quorate/state-machine";
import type { ReplicaStore } from "@quorate/storage";
import type { LogFiles } from "@quorate/storage/memory";
import {
  filesWith,
  NO_CHANGES,
  optionsForSeed,
  type Plant,
  Simulation,
  SimulationFailure,
  type SimulationOptions,
} from "@quorate/test-harness";
import { expect } from "chai";

/** A bug may need luck to show: one of so many seeds must find it. */
const SEEDS = 40;
const POWER_CUTS: Partial<SimulationOptions> = {
  faults: [400, 800, 1100].map((atMs) => ({ type: "crash", atMs, replicas: [0, 1, 2, 3], downMs: 20 })),
  replicas: 4,
  byzantine: [],
};

describe("A planted bug is found:", () => {
  it("a disk that loses what it had flushed", () => {
    expectFound(/promises\.equivocation|watermarks\.lost|replica\.own-commit-forgotten/, POWER_CUTS, {
      recoveredStore: (_crashed, createEmpty) => createEmpty(),
    });
  });

  it("a replica that votes with a new disk as if the old one had not been lost", () => {
    const lost = { type: "lose-disk", atMs: 600, replica: 0, downMs: 30 } as const;
    expectFound(
      /promises\.equivocation|replica\.own-commit-forgotten/,
      { faults: [lost], replicas: 4, byzantine: [] },
      { forgetsLosses: true },
    );
  });

  it("a recovery of the log that drops a group which was flushed", () => {
    const disk = { store: "files", flushMs: [1, 6], slow: 0, slowMs: 0, historyBytesMax: 1e9 } as const;
    expectFound(
      /storage\.(promises-lost|refused-without-damage)/,
      { ...POWER_CUTS, disk },
      { files: withoutLastGroup },
    );
  });

  it("a replica that speaks before its writes are durable", () => {
    expectFound(/promises\.equivocation|agreement\.|watermarks\.lost|replica\.own-commit-forgotten/, POWER_CUTS, {
      store: (store, later) => ({
        ...portsOf(store),
        flushLog: (done) => {
          store.flushLog(() => undefined);
          later(() => done(undefined));
        },
      }),
    });
  });

  it("a replica that signs a checkpoint before its state is durable", () => {
    // What one of them lost the others bring back; what all have lost is gone.
    expectFound(/recovery\.state-below-stable|watermarks\.lost|liveness: not quiet/, POWER_CUTS, {
      store: (store) => ({ ...portsOf(store), flush: (done) => store.flushLog(done) }),
    });
  });

  it("a replica that executes a batch twice", () => {
    expectFound(
      /agreement\.order/,
      {},
      {
        onExecuted: tellTwice,
      },
    );
  });

  it("a state machine that runs an operation twice", () => {
    const twice = (service: Service): Service => ({
      ...service,
      execute: (operation, state, context) => {
        if (context.seq === 5) service.execute(operation, state, context);
        return service.execute(operation, state, context);
      },
    });

    expectFound(/once\.twice/, {}, { service: twice });
  });

  it("a store that answers reads from a stale snapshot, the same one at every replica", () => {
    // The value before the last change is kept beside each text; nothing but what clients see is wrong.
    const stale = (service: Service): Service => ({
      ...service,
      execute: (operation, state, context) => {
        const asked = decodeKvOperation(operation);
        if (asked.type === "range" || !isText(asked.key)) return service.execute(operation, state, context);
        const beside = utf8(`stale/${String.fromCharCode(...asked.key)}`);
        if (asked.type === "get") return encodeKvResult("get", { value: state.get(beside) });
        const before = state.get(asked.key);
        const result = service.execute(operation, state, context);
        if (before === undefined) state.delete(beside);
        else state.put(beside, before);
        return result;
      },
    });

    expectFound(/linearizability\.violated/, {}, { inner: stale });
  });

  it("a store that acknowledges writes which it does not make", () => {
    const lossy = (service: Service): Service => ({
      execute: (operation, state, context) => {
        const asked = decodeKvOperation(operation);
        const isLost = asked.type === "put" && isText(asked.key) && context.seq % 4 === 0;
        if (!isLost) return service.execute(operation, state, context);
        return encodeKvResult("put", { replaced: state.get(asked.key) !== undefined });
      },
    });

    expectFound(/linearizability\.violated/, {}, { inner: lossy });
  });

  it("a store that increments texts twice, which no counter shows", () => {
    const twice = (service: Service): Service => ({
      execute: (operation, state, context) => {
        const asked = decodeKvOperation(operation);
        if (asked.type === "increment" && isText(asked.key)) service.execute(operation, state, context);
        return service.execute(operation, state, context);
      },
    });

    expectFound(/linearizability\.violated/, {}, { inner: twice });
  });

  it("a service that does not do the same everywhere", () => {
    const own = (service: Service, replica: number): Service => ({
      execute: (operation, state, context) => {
        if (replica === 2) state.put(Uint8Array.of(1), Uint8Array.of(2));
        return service.execute(operation, state, context);
      },
    });

    expectFound(/state\.root/, { replicas: 4, byzantine: [] }, { service: own });
  });

  it("a replica that does not tell its service of new members", () => {
    const options = optionsForSeed(4, { isSwarm: false, isByzantine: false, changes: "always" });

    const service = (inner: Service, replica: number): Service => {
      const { onMembership, ...deaf } = inner;
      return replica === 1 ? deaf : inner;
    };
    expect(() => new Simulation(options, { service }).run()).to.throw("reconfiguration.service-not-told");
    expect(new Simulation(options).run().marks.count("change in force: join")).to.be.greaterThan(0);
  });

  it("a client that believes a single replica", () => {
    const n = 4;
    // As if everyone had signed what one has.
    const believe = (reply: VerifiedReply): VerifiedReply[] =>
      Array.from({ length: n }, (_, id) => ({ ...reply, from: replicaId(id) as ReplicaId }) as VerifiedReply);

    expectFound(
      /durability\.|the receipt of call \d+ does not verify/,
      { replicas: n, byzantine: [{ replica: 1, behaviour: "wrong-replies" }] },
      { replies: believe },
    );
  });

  it("replicas that never say what they lack", () => {
    expectFound(
      /liveness/,
      { replicas: 4 },
      { withholds: (frame) => frame.type === "signed" && frame.envelope.message.type === "status" },
    );
  });
});

describe("The report of a failed run", () => {
  it("says where everyone stood, what happened last, and how to repeat it", () => {
    const failure = firstFailure({}, { onExecuted: tellTwice });

    expect(failure?.seed).to.equal(0);
    expect(failure?.message).to.match(/^seed 0 failed at \d+\.\d{3} ms: Violation: agreement\.order/);
    expect(failure?.message).to.match(/\n {2}2 (primary|backup) v\d+→\d+ h\d+ e\d+ H\d+ pending \d+\n/);
    expect(failure?.message).to.match(/\noptions \{"seed":0,/);
    expect(failure?.message).to.match(/ r\d executed n1 [0-9a-f]{8} /);
    expect(failure?.message).to.match(/\nrepeat: npm run simulate -- --seed 0$/);
  });
});

/** Whether it is one of the workload's keys that hold texts, which only the clients' history judges. */
function isText(key: Uint8Array): boolean {
  return String.fromCharCode(...key).startsWith("key/");
}

/** Files of a log in each of which the last group is not seen. */
function withoutLastGroup(files: LogFiles): LogFiles {
  return filesWith(files, {
    read: (segment) => {
      const content = files.read(segment);
      return content.subarray(0, Math.max(0, content.lastIndexOf("QWAL")));
    },
  });
}

/** A store to change one thing about. */
function portsOf(store: ReplicaStore): ReplicaStore {
  const { lossNonce, log, history, state, local, bulk } = store;
  return {
    lossNonce,
    log,
    history,
    state,
    local,
    bulk,
    writeAtomically: (changes) => store.writeAtomically(changes),
    flushLog: (done) => store.flushLog(done),
    flush: (done) => store.flush(done),
    close: () => store.close(),
  };
}

function tellTwice(tell: NonNullable<HostObserver["onExecuted"]>): typeof tell {
  return (batch) => {
    tell(batch);
    tell(batch);
  };
}

/** Expects that one of the first seeds fails with such a message, and none with another. */
function expectFound(pattern: RegExp, change: Partial<SimulationOptions>, plant: Plant): void {
  const message = firstFailure(change, plant)?.message;

  expect(message, "no seed failed").to.not.equal(undefined);
  expect(message?.split("\n")[0]).to.match(pattern);
}

function firstFailure(change: Partial<SimulationOptions>, plant: Plant): SimulationFailure | undefined {
  // Changes are drawn for the members that a seed draws.
  const options = change.replicas === undefined ? change : { ...NO_CHANGES, ...change };
  for (let seed = 0; seed < SEEDS; seed++) {
    try {
      new Simulation({ ...optionsForSeed(seed), ...options }, plant).run();
    } catch (error) {
      if (error instanceof SimulationFailure) return error;
      throw error;
    }
  }
  return undefined;
}
