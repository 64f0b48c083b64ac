import { bytesToHex, DEFAULT_LIMITS, hexToBytes, sequenceNumber } from "@quorate/protocol";
import {
  type ExecutionChanges,
  OPERATION_CHANGES_MAX,
  type Service,
  STATE_KEY_BYTES_MAX,
  StateAccessError,
  StateError,
  type StateStore,
} from "@quorate/state-machine";
import { StateDamage, undoRange, unsealed } from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { bytesOf, Fixture, hasher, resultsOf, textOf } from "./cluster.ts";
import { MemoryStore, OrderedMemory } from "./ordered-memory.ts";

const VALUE_BYTES_MAX = DEFAULT_LIMITS.requestBytesMax;

/** A service whose operations are the functions of a test, by their place. */
function scripted(...steps: readonly ((state: StateStore) => string | undefined)[]): Service {
  return { execute: (operation, state) => bytesOf(steps[Number(textOf(operation))]?.(state) ?? "") };
}

/** Runs each step as an operation of its own, all in one request. */
function runSteps(...steps: readonly ((state: StateStore) => string | undefined)[]): readonly string[] {
  const fixture = new Fixture({ service: scripted(...steps) });
  const alice = fixture.client(1);
  const results = resultsOf(fixture.run(alice.operate(fixture.open(alice), 1, ...steps.map((_, i) => String(i)))));
  expect(fixture.executor.verifyStateRoot()).to.equal(true);
  return results;
}

describe("the state that a service sees", () => {
  it("is what earlier operations of the request wrote, in the order of bytes", () => {
    const results = runSteps(
      (state) => {
        for (const key of ["b", "a", "c", "aa"]) state.put(bytesOf(key), bytesOf(key.toUpperCase()));
        state.delete(bytesOf("b"));
        return undefined;
      },
      (state) => [...state.range(bytesOf(""), undefined)].map(([k, v]) => `${textOf(k)}=${textOf(v)}`).join(),
      (state) => [...state.range(bytesOf("a"), bytesOf("c"))].map(([k]) => textOf(k)).join(),
      (state) => [...state.range(bytesOf("c"), bytesOf("a"))].map(([k]) => textOf(k)).join(),
      (state) => String(state.get(bytesOf("b"))),
    );

    expect(results).to.deep.equal(["ok", "ok a=A,aa=AA,c=C", "ok a,aa", "ok", "ok undefined"]);
  });

  it("is copied each way, so that bytes changed later change nothing", () => {
    const results = runSteps(
      (state) => {
        const key = bytesOf("k");
        const value = bytesOf("v");
        state.put(key, value);
        key.fill(0);
        value.fill(0);
        return undefined;
      },
      (state) => {
        state.get(bytesOf("k"))!.fill(0);
        for (const [key, value] of state.range(bytesOf(""), undefined)) {
          key.fill(0);
          value.fill(0);
        }
        return textOf(state.get(bytesOf("k"))!);
      },
    );

    expect(results[1]).to.equal("ok v");
  });

  it("is handed out as plain copies, whatever the store hands out: a Buffer's slice is no copy, and its text is another", () => {
    const results = [];
    for (const handOut of [(value: Uint8Array) => value, (value: Uint8Array) => Buffer.from(value)]) {
      const count = (state: StateStore): string => {
        const value = state.get(bytesOf("k")) ?? bytesOf("0");
        value[0]!++;
        state.put(bytesOf("k"), value);
        const [entry] = state.range(bytesOf(""), undefined);
        return [value, ...entry!].map((bytes) => `${bytes} ${JSON.stringify(bytes)}`).join();
      };
      const fixture = new Fixture({ service: scripted(count) });
      const { state } = fixture.store;
      const [get, range] = [state.get.bind(state), state.range.bind(state)];
      state.get = (key) => {
        const value = get(key);
        return value && handOut(value);
      };
      state.range = function* (from, to) {
        for (const [key, value] of range(from, to)) yield [handOut(key), handOut(value)];
      };
      const alice = fixture.client(1);
      const session = fixture.open(alice);
      const told = [1, 2, 3].flatMap((number) => resultsOf(fixture.run(alice.operate(session, number, "0"))));
      results.push({ told, root: fixture.executor.stateRoot() });
    }

    expect(results[1]).to.deep.equal(results[0]);
    expect(results[1]!.told[2]).to.match(/^ok 51 /);
  });

  it("cannot be used after the operation", () => {
    let kept: StateStore | undefined;
    let iterator: Iterator<unknown> | undefined;
    runSteps((state) => {
      state.put(bytesOf("a"), bytesOf("1"));
      state.put(bytesOf("b"), bytesOf("2"));
      kept = state;
      iterator = state.range(bytesOf(""), undefined)[Symbol.iterator]();
      iterator.next();
      return undefined;
    });

    for (const use of [
      () => kept!.get(bytesOf("a")),
      () => kept!.put(bytesOf("a"), bytesOf("3")),
      () => kept!.delete(bytesOf("a")),
      () => [...kept!.range(bytesOf(""), undefined)],
      () => iterator!.next(),
    ])
      expect(use).to.throw(StateAccessError, "had ended");
  });

  it("takes keys and values up to their bounds and no longer ones", () => {
    const results = runSteps(
      (state) => {
        state.put(new Uint8Array(STATE_KEY_BYTES_MAX), new Uint8Array(VALUE_BYTES_MAX));
        return undefined;
      },
      (state) => {
        state.put(new Uint8Array(STATE_KEY_BYTES_MAX + 1), new Uint8Array(0));
        return undefined;
      },
      (state) => {
        state.put(new Uint8Array(1), new Uint8Array(VALUE_BYTES_MAX + 1));
        return undefined;
      },
      (state) => String(state.get(new Uint8Array(STATE_KEY_BYTES_MAX + 1))),
    );

    expect(results).to.deep.equal([
      "ok",
      "failed a key has 1025 bytes, at most 1024 are allowed",
      `failed a value has ${VALUE_BYTES_MAX + 1} bytes, at most ${VALUE_BYTES_MAX} are allowed`,
      "failed a key has 1025 bytes, at most 1024 are allowed",
    ]);
  });

  it("takes a bounded number of changes from one operation", () => {
    const change = (state: StateStore, count: number): undefined => {
      for (let i = 0; i < count; i++) state.put(bytesOf("k"), bytesOf(String(i)));
      return undefined;
    };

    const results = runSteps(
      (state) => change(state, OPERATION_CHANGES_MAX),
      (state) => change(state, OPERATION_CHANGES_MAX + 1),
      (state) => textOf(state.get(bytesOf("k"))!),
    );

    expect(results[1]).to.match(/^failed one operation may change at most 65536 keys/);
    expect(results[2]).to.equal(`ok ${OPERATION_CHANGES_MAX - 1}`);
  });

  it("shows a range the changes made ahead of it while it is read", () => {
    const onKey: Record<string, (state: StateStore) => void> = {
      b: (state) => {
        for (const added of ["a", "c"]) state.put(bytesOf(added), bytesOf("new"));
      },
      c: (state) => state.delete(bytesOf("d")),
    };

    const results = runSteps((state) => {
      for (const key of ["b", "d"]) state.put(bytesOf(key), bytesOf("old"));
      const seen: string[] = [];
      for (const [key] of state.range(bytesOf("a"), undefined)) {
        seen.push(textOf(key));
        onKey[textOf(key)]?.(state);
      }
      return seen.join();
    });

    expect(results).to.deep.equal(["ok b,c"]);
  });

  it("is that of a plain map, whatever operations and batches wrote it, and failures undo", () => {
    const key = fc.constantFrom("a", "aa", "ab", "b", "c");
    const step = fc.record({ key, value: fc.option(fc.constantFrom("1", "2", "3"), { nil: undefined }) });
    const operation = fc.record({ steps: fc.array(step, { maxLength: 5 }), fails: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.array(operation, { minLength: 1, maxLength: 4 }), { maxLength: 5 }), (batches) => {
        let model = new Map<string, string>();
        const apply = ({ key, value }: { key: string; value: string | undefined }, state: StateStore): void => {
          if (value === undefined) {
            state.delete(bytesOf(key));
            model.delete(key);
          } else {
            state.put(bytesOf(key), bytesOf(value));
            model.set(key, value);
          }
        };
        const compare = (state: StateStore): void => {
          const found = [...state.range(bytesOf("a"), bytesOf("c"))].map(([k, v]) => [textOf(k), textOf(v)]);
          const expected = [...model].filter(([k]) => k < "c").sort();
          if (JSON.stringify(found) !== JSON.stringify(expected)) mismatches.push({ found, expected });
        };
        const execute = (bytes: Uint8Array, state: StateStore): Uint8Array => {
          const [i, j] = textOf(bytes).split(" ").map(Number) as [number, number];
          const { steps, fails } = batches[i]![j]!;
          const before = new Map(model);
          for (const step of steps) apply(step, state);
          compare(state);
          if (!fails) return bytesOf("");
          model = before;
          throw new Error("on purpose");
        };
        const fixture = new Fixture({ service: { execute } });
        const mismatches: unknown[] = [];
        const alice = fixture.client(1);
        const a = fixture.open(alice);
        batches.forEach((operations, i) => {
          fixture.run(alice.operate(a, i + 1, ...operations.map((_, j) => `${i} ${j}`)));
        });

        expect(mismatches).to.deep.equal([]);
        const stored = [...fixture.store.state.entries]
          .filter(([key]) => key.startsWith("01"))
          .map(([key, record]) => [key.slice(2), textOf(unsealed(hasher, hexToBytes(key), record)!)])
          .sort();
        expect(stored).to.deep.equal([...model].map(([k, v]) => [bytesToHex(bytesOf(k)), v]).sort());
        expect(fixture.executor.verifyStateRoot()).to.equal(true);
      }),
      { numRuns: 60 },
    );
  });
});

describe("checkpoints that are kept", () => {
  it("are the stable one, the one below it and those that are fetched, each as it was", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    const logs = new Map<number, string>();
    for (let number = 1; fixture.executor.executed < 96; number++) {
      fixture.run(alice.operate(session, number, `${number % 10}`));
      const { seq } = fixture.executor.lastCheckpoint;
      if (seq === fixture.executor.executed) logs.set(seq, logAt(seq) ?? "");
      // Nothing changes up to the next one: what stood there at the first is known from later changes only.
      if (seq === 16) fixture.idleTo(32);
    }

    // Two of them go at once, and what they hand down must be that of the first.
    fixture.executor.collect(sequenceNumber(96), sequenceNumber(0), [sequenceNumber(16)]);

    for (const moment of ["before a restart", "after it"]) {
      expect([16, 80, 96].map(logAt), moment).to.deep.equal([16, 80, 96].map((seq) => logs.get(seq)));
      expect([0, 32, 48, 64].map(logAt), moment).to.deep.equal([undefined, undefined, undefined, undefined]);
      fixture.restart();
    }

    function logAt(seq: number): string | undefined {
      const value = fixture.executor
        .snapshotAt(sequenceNumber(seq))
        ?.get(hexToBytes(`01${bytesToHex(bytesOf("log"))}`));
      return value && textOf(value);
    }
  });
});

describe("what is done for checkpoints", () => {
  /** Sizes of the groups of local changes. */
  class CountingStore extends MemoryStore {
    readonly sizes: number[] = [];

    override writeAtomically(changes: ExecutionChanges): void {
      this.sizes.push(changes.local.length);
      super.writeAtomically(changes);
    }
  }
  const CHANGES = 4000;
  /** Some 5,000 changes that are not yet absorbed come to 16,384; each is of a key and at most two pages, with undo records. */
  const GROUP_MAX = 4 * (16_384 + CHANGES);

  it("is spread over the batches, so that none of them waits for what many have changed", () => {
    const store = new CountingStore();
    const service: Service = {
      execute: (operation, state) => {
        const batch = Number(textOf(operation));
        for (let i = 0; i < CHANGES; i++) state.put(bytesOf(`${(batch * CHANGES + i) * 7919}`), operation);
        return operation;
      },
    };
    const fixture = new Fixture({ service, store, checkpointInterval: 64 });
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    fixture.idleTo(63);
    for (let number = 1; number <= 30; number++) fixture.run(alice.operate(session, number, String(number)));
    const undoOf = (seq: number): number => [...fixture.store.local.range(...undoRange(sequenceNumber(seq)))].length;
    expect(undoOf(64)).to.be.greaterThan(100_000);
    const before = store.sizes.length;
    fixture.idleTo(128);
    expect(Math.max(...store.sizes), "a checkpoint").to.be.lessThan(GROUP_MAX);
    expect(Math.max(...store.sizes.slice(before)), "the last one").to.be.lessThan(GROUP_MAX);

    fixture.idleTo(192);
    const collected = store.sizes.length;
    fixture.executor.collect(sequenceNumber(192), sequenceNumber(0));
    expect(fixture.executor.snapshotAt(sequenceNumber(64))).to.equal(undefined);
    expect(undoOf(64), "the rest follows").to.be.greaterThan(50_000);
    fixture.idleTo(200);
    expect(Math.max(...store.sizes.slice(collected))).to.be.within(8_000, 10_000);
    fixture.restart();
    fixture.idleTo(230);
    expect(undoOf(64)).to.equal(0);
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  }).timeout(60_000);
});

describe("what dropped checkpoints leave", () => {
  /** How many bytes of values are read at once. */
  class ReadCounter extends OrderedMemory {
    bytes = 0;

    override get(key: Uint8Array): Uint8Array | undefined {
      const value = super.get(key);
      this.bytes += value?.length ?? 0;
      return value;
    }
  }
  class ReadCountingStore extends MemoryStore {
    override readonly local: ReadCounter = new ReadCounter();
  }
  const VALUE_BYTES = 64 * 1024;
  const ENTRIES = 400;

  /** Values of 25 MiB in all that change before each checkpoint, but between 64 and 128 only the first half of them. */
  function changedTwice(): { readonly fixture: Fixture; readonly local: ReadCounter } {
    const store = new ReadCountingStore();
    const service: Service = {
      execute: (operation, state) => {
        const value = new Uint8Array(VALUE_BYTES).fill(operation[0] ?? 0);
        const entries = textOf(operation) === "1" ? ENTRIES / 2 : ENTRIES;
        for (let i = 0; i < entries; i++) state.put(bytesOf(`${i}`), value);
        return operation;
      },
    };
    const fixture = new Fixture({ service, store, checkpointInterval: 64 });
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    for (const [number, checkpoint] of [64, 128, 192, 256].entries()) {
      fixture.run(alice.operate(session, number + 1, String(number)));
      fixture.idleTo(checkpoint);
    }
    return { fixture, local: store.local };
  }

  const undoOf = ({ store }: Fixture, seq: number): Uint8Array[] => [
    ...store.local.keys(...undoRange(sequenceNumber(seq))),
  ];

  it("is removed without being read, where no older checkpoint needs it", () => {
    const { fixture, local } = changedTwice();
    local.bytes = 0;

    fixture.executor.collect(sequenceNumber(256), sequenceNumber(0));
    fixture.idleTo(260);

    expect([64, 128].flatMap((seq) => undoOf(fixture, seq))).to.deep.equal([]);
    expect(local.bytes).to.be.lessThan(1024 * 1024);
  }).timeout(20_000);

  it("is handed down to an older checkpoint a few megabytes at a time, however large the values are", () => {
    const { fixture, local } = changedTwice();
    // Of the first half checkpoint 64 has undo records of its own, of the second half it needs those of 128.
    const pinned = [sequenceNumber(64)];
    const read: number[] = [];
    const counted = (step: () => void): void => {
      local.bytes = 0;
      step();
      read.push(local.bytes);
    };

    counted(() => fixture.executor.collect(sequenceNumber(256), sequenceNumber(0), pinned));
    for (let seq = 257; seq < 280; seq++) counted(() => fixture.idleTo(seq));

    expect(undoOf(fixture, 128), "all of it").to.deep.equal([]);
    expect(Math.max(...read)).to.be.lessThan(6 * 1024 * 1024);
    const kept = fixture.executor.snapshotAt(sequenceNumber(64));
    for (const key of ["7", "307"])
      expect(kept?.get(hexToBytes(`01${bytesToHex(bytesOf(key))}`))?.[0], key).to.equal(bytesOf("0")[0]);
    expect(fixture.executor.verifyStateRoot()).to.equal(true);
  }).timeout(20_000);
});

describe("the store underneath", () => {
  it("is not an operation's failure when it fails, even if the service catches its error", () => {
    for (const catches of [false, true]) {
      const service: Service = {
        execute: (_operation, state) => {
          fixture.store.state.isFailing = true;
          try {
            state.get(bytesOf("k"));
          } catch (error) {
            if (!catches) throw error;
          }
          return bytesOf("fine");
        },
      };
      const fixture = new Fixture({ service });
      const alice = fixture.client(1);
      const a = fixture.open(alice);
      const root = fixture.executor.stateRoot();

      expect(() => fixture.run(alice.operate(a, 1, "x")), `catches: ${catches}`).to.throw("the disk is gone");

      fixture.store.state.isFailing = false;
      expect(fixture.executor.executed).to.equal(1);
      expect(fixture.executor.stateRoot()).to.equal(root);
      expect(fixture.executor.verifyStateRoot()).to.equal(true);
    }
  });

  it("is refused when it holds the state of another cluster", () => {
    const other = new Fixture({ name: "other" });
    const fixture = new Fixture();

    expect(() => fixture.executorOver(other.store)).to.throw(StateError, `belongs to cluster ${other.cluster}`);
  });

  it("is refused when a part of the state is missing", () => {
    for (const damage of [
      (store: MemoryStore) => store.local.entries.clear(),
      (store: MemoryStore) => store.state.entries.clear(),
      (store: MemoryStore) => store.state.entries.delete("02"),
      (store: MemoryStore) => store.local.entries.delete(`${bytesToHex(bytesOf("snapshot/"))}${"00".repeat(8)}`),
    ]) {
      const fixture = new Fixture();
      fixture.open(fixture.client(1));
      const store = fixture.store.copy();
      damage(store);

      expect(() => fixture.executorOver(store)).to.throw(StateError, "in part only");
    }
  });

  it("is refused when its progress record is not what was written", () => {
    const fixture = new Fixture();
    const store = fixture.store.copy();
    flip(store, "02");

    expect(() => fixture.executorOver(store)).to.throw(
      StateError,
      "the entry at 02 of the state is not what was written",
    );
  });

  it("is found out at the read of an entry in which a bit changed, and no operation is answered by it", () => {
    const fixture = new Fixture();
    const alice = fixture.client(1);
    const session = fixture.open(alice);
    fixture.run(alice.operate(session, 1, "x"));
    flip(fixture.store, `01${bytesToHex(bytesOf("log"))}`);

    expect(fixture.executor.verifyStateRoot()).to.equal(false);
    expect(() => fixture.run(alice.operate(session, 2, "y"))).to.throw(StateDamage);
    expect(fixture.executor.executed).to.equal(2);
  });

  it("is found out by the check of the root when a page of the tree changed", () => {
    const fixture = new Fixture();
    fixture.open(fixture.client(1));
    fixture.idleTo(16);
    const page = [...fixture.store.local.entries].find(([key]) => key === `${bytesToHex(bytesOf("page/"))}01`)!;
    page[1][5]! ^= 1;

    expect(fixture.executor.verifyStateRoot()).to.equal(false);
  });
});

/** Changes one bit of an entry. */
function flip(store: MemoryStore, key: string): void {
  const record = store.state.entries.get(key)!.slice();
  record[record.length - 1]! ^= 1;
  store.state.entries.set(key, record);
}
