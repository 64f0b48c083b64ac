import { join } from "node:path";
import { type Change, compareBytes, type OrderedStore, sequenceNumber } from "@quorate/protocol";
import { initializeStore, type ReplicaStore } from "@quorate/storage";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import fc from "fast-check";
import { IDENTITY } from "./identity.ts";
import { flush, openIn, temporaryFolder } from "./temporary-folder.ts";

type Step =
  | { readonly type: "write"; readonly changes: readonly Change[] }
  | { readonly type: "range"; readonly from: Uint8Array; readonly to: Uint8Array | undefined }
  | { readonly type: "begin-flush" | "await-flush" | "next-turn" };

// Few and short keys, so that they meet; a first byte of 0 and 255, so that they reach the bounds of a partition.
const key = fc.array(fc.constantFrom(0, 1, 127, 128, 255), { maxLength: 2 }).map((bytes) => Uint8Array.from(bytes));
const value = fc.option(fc.uint8Array({ maxLength: 3 }), { nil: undefined });
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ type: fc.constant("write"), changes: fc.array(fc.record({ key, value }), { maxLength: 5 }) }),
  fc.record({ type: fc.constant("range"), from: key, to: fc.option(key, { nil: undefined }) }),
  fc.record({ type: fc.constantFrom("begin-flush", "await-flush", "next-turn") }),
);

/** The plainest map there is. */
class Model {
  #entries: (readonly [Uint8Array, Uint8Array])[] = [];

  write(changes: readonly Change[]): void {
    for (const change of changes) {
      this.#entries = this.#entries.filter(([held]) => compareBytes(held, change.key) !== 0);
      if (change.value !== undefined) this.#entries.push([change.key, change.value]);
    }
    this.#entries.sort(([a], [b]) => compareBytes(a, b));
  }

  range(from: Uint8Array, to: Uint8Array | undefined): (readonly [Uint8Array, Uint8Array])[] {
    return this.#entries.filter(
      ([held]) => compareBytes(held, from) >= 0 && (to === undefined || compareBytes(held, to) < 0),
    );
  }
}

describe("An ordered store against a plain model", () => {
  const folder = temporaryFolder();

  it("agrees on LMDB, whatever is committed, being committed or waiting", async () => {
    const path = join(folder(), "store");
    await initializeStore(path, IDENTITY);
    let store = openIn(path);
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        clear(store.state);
        const model = new Model();
        for (const one of steps) await run(store, model, one);
        expectSame(store.state, model, new Uint8Array(0), undefined);
        await store.close();
        store = openIn(path);
        expectSame(store.state, model, new Uint8Array(0), undefined);
      }),
      { seed: 20_261, numRuns: 150 },
    );
    await store.close();
  });

  it("agrees in memory", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const store = createMemoryStore({ schedule: queueMicrotask });
        const model = new Model();
        for (const one of steps) await run(store, model, one);
        expectSame(store.state, model, new Uint8Array(0), undefined);
      }),
      { seed: 20_262, numRuns: 300 },
    );
  });

  it("keeps exactly a prefix of the groups when memory loses power", () => {
    const groups = fc.array(fc.array(fc.record({ key, value }), { maxLength: 4 }), { maxLength: 12 });
    fc.assert(
      fc.property(groups, fc.nat(), fc.nat(), (all, flushAt, keep) => {
        const store = createMemoryStore();
        const flushed = flushAt % (all.length + 1);
        for (const [i, changes] of all.entries()) {
          if (i === flushed) store.flush(() => {});
          store.state.write(changes);
        }
        store.disk.completeFlush();
        store.disk.completeFlush();
        const kept = keep % (store.disk.unflushedGroups + 1);
        const durable = all.length - store.disk.unflushedGroups + kept;

        const model = new Model();
        for (const changes of all.slice(0, durable)) model.write(changes);
        expectSame(store.disk.crash({ rest: kept }).state, model, new Uint8Array(0), undefined);
        expect(durable).to.be.at.least(flushed === all.length ? 0 : flushed);
      }),
      { seed: 20_263, numRuns: 500 },
    );
  });

  it("gives log records in one order on both", async () => {
    const path = join(folder(), "store");
    await initializeStore(path, IDENTITY);
    const operation = fc.record({ seq: fc.nat(20), cutAt: fc.nat(12), flushed: fc.boolean() });
    const store = openIn(path);
    const twin = createMemoryStore({ schedule: queueMicrotask });
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 20 }), async (operations) => {
        for (const [i, { seq, cutAt, flushed }] of operations.entries()) {
          for (const { log } of [store, twin]) {
            log.append(sequenceNumber(seq), Buffer.from(`record ${i}`));
            log.cut(sequenceNumber(cutAt));
          }
          if (flushed) await flush(store);
          expect(records(store)).to.deep.equal(records(twin));
        }
      }),
      { seed: 20_264, numRuns: 40 },
    );
    await store.close();
  });
});

async function run(store: ReplicaStore, model: Model, one: Step): Promise<void> {
  if (one.type === "write") {
    store.state.write(one.changes);
    model.write(one.changes);
    for (const change of one.changes) {
      const [found] = model.range(change.key, undefined);
      const expected = found !== undefined && compareBytes(found[0], change.key) === 0 ? found[1] : undefined;
      expect(hex(store.state.get(change.key))).to.equal(hex(expected));
    }
  } else if (one.type === "range") expectSame(store.state, model, one.from, one.to);
  else if (one.type === "begin-flush") store.flush(() => {});
  else if (one.type === "await-flush") await flush(store);
  else {
    // Here a flush that has begun is being committed: neither waiting nor readable from LMDB.
    await new Promise(setImmediate);
    expectSame(store.state, model, new Uint8Array(0), undefined);
  }
}

function expectSame(store: OrderedStore, model: Model, from: Uint8Array, to: Uint8Array | undefined): void {
  const shown = (entries: Iterable<readonly [Uint8Array, Uint8Array]>): string[] =>
    [...entries].map(([held, bytes]) => `${hex(held)}=${hex(bytes)}`);
  for (const [held, bytes] of model.range(from, to)) expect(hex(store.get(held))).to.equal(hex(bytes));
  expect(shown(store.range(from, to))).to.deep.equal(shown(model.range(from, to)));
  expect([...store.keys(from, to)].map(hex)).to.deep.equal(model.range(from, to).map(([held]) => hex(held)));
}

function clear(store: OrderedStore): void {
  const keys = [...store.range(new Uint8Array(0), undefined)].map(([held]) => held);
  store.write(keys.map((held) => ({ key: held, value: undefined })));
}

function records({ log }: ReplicaStore): string[] {
  return [...log.entries()].map(({ seq, record }) => `${seq} ${Buffer.from(record)}`);
}

function hex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}
