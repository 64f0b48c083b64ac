import { createNobleHasher } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { bytesToHex, type Change, compareBytes, type Digest, hexToBytes, sequenceNumber } from "@quorate/protocol";
import {
  isProven,
  pageRange,
  ROOT_PREFIX,
  StateDamage,
  StateTree,
  type TidyLimits,
  UNDO_RECORDS,
} from "@quorate/state-tree";
import type { ReplicaStore } from "@quorate/storage";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import fc from "fast-check";

/** A store that the tree is tried over. */
export interface TreeSubject {
  readonly name: string;
  create(): Promise<ReplicaStore>;
  /** Closes the store and opens it again. */
  reopen(store: ReplicaStore): Promise<ReplicaStore>;
  /** Cuts the power; so many groups that were not flushed are kept. Left out where only another process can do that. */
  readonly crash?: (store: ReplicaStore, groups: number) => Promise<ReplicaStore>;
}

type Plain = ReadonlyMap<string, Uint8Array>;
type Step =
  | { readonly type: "change"; readonly changes: readonly Change[] }
  | { readonly type: "checkpoint" | "reopen" | "absorb" | "flush" | "begin-flush" }
  | { readonly type: "drop"; readonly which: number }
  | ({ readonly type: "tidy" } & TidyLimits);

const hasher = createNodeHasher();
const partOf = (key: Uint8Array): number => (key[0] ?? 0) % 3;
const EVERYTHING = new Uint8Array(0);

/** Few keys, so that they are changed and deleted again; or so many that pages split and join. */
const keys = fc.oneof(
  fc.nat(20).map((n) => Uint8Array.of(n)),
  fc.nat(600).map((n) => keyOf(n)),
);
const change: fc.Arbitrary<Change> = fc.record({
  key: keys,
  value: fc.option(fc.uint8Array({ maxLength: 40 }), { nil: undefined, freq: 2 }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(change, { maxLength: 100 }).map((changes) => ({ type: "change" as const, changes })),
  },
  { weight: 3, arbitrary: fc.constant({ type: "checkpoint" as const }) },
  { weight: 2, arbitrary: fc.nat().map((which) => ({ type: "drop" as const, which })) },
  { weight: 2, arbitrary: fc.constantFrom("flush" as const, "begin-flush" as const).map((type) => ({ type })) },
  { weight: 2, arbitrary: fc.constantFrom("reopen" as const, "absorb" as const).map((type) => ({ type })) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("tidy" as const),
      records: fc.nat({ max: 40 }),
      handedDown: fc.nat({ max: 20 }),
      bytes: fc.nat({ max: 3000 }),
    }),
  },
);

/** What every store does under the tree (protocol rules 9.1, 9.5 and 10.1). */
export function stateTreeCompliance(subject: TreeSubject): void {
  describe(`the state tree over ${subject.name}`, () => {
    it("is the plain map that it stands for, now and at every kept checkpoint, whatever came how", async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 20 }), keys, keys, async (steps, from, to) => {
          const scene = await Scene.over(subject);
          for (const one of steps) await scene.take(one);
          scene.expectSame(from, to);
          await scene.take({ type: "reopen" });
          scene.expectSame(from, to);
          await scene.close();
        }),
        { seed: 20_262, numRuns: 40 },
      );
    }).timeout(120_000);

    it("shows a checkpoint as it was while execution goes on below whoever reads it", async () => {
      const scene = await Scene.over(subject);
      await scene.take({ type: "change", changes: numbered(300, 1) });
      await scene.take({ type: "checkpoint" });
      await scene.take({ type: "flush" });
      const snapshot = scene.tree.at(sequenceNumber(1))!;
      const pages = snapshot.pages();
      const meanwhile = [
        "flush",
        "begin-flush",
        "absorb",
        "checkpoint",
        "begin-flush",
        "absorb",
        "begin-flush",
      ] as const;
      let seen = 0;
      for (const n of numbered(40, 0).keys()) {
        await scene.take({ type: "change", changes: numbered(300, n + 2).slice(n * 5, n * 5 + 60) });
        await scene.take({ type: meanwhile[n % meanwhile.length] ?? "flush" });
        seen += [pages.next(), pages.next(), pages.next()].filter(({ done }) => done !== true).length;
        expect(snapshot.get(keyOf(n)), `${n}`).to.deep.equal(Uint8Array.of(1));
      }
      seen += [...pages].length;
      expect(seen).to.equal([...snapshot.pages()].length);
      expect(seen).to.be.greaterThan(100);
      await scene.close();
    });

    it("keeps in undo records what the kept checkpoints need, and nothing when only the last is kept", async () => {
      const scene = await Scene.over(subject);
      for (let n = 1; n <= 4; n++) {
        await scene.take({ type: "change", changes: numbered(150, n).slice(0, 40 * n) });
        await scene.take({ type: "checkpoint" });
      }
      scene.drop(2);
      scene.drop(1);
      scene.expectSame(EVERYTHING, undefined);
      expect([...scene.store.local.range(...UNDO_RECORDS)].length).to.be.greaterThan(0);
      scene.drop(3);
      scene.drop(0);
      scene.tidy();
      expect([...scene.store.local.range(...UNDO_RECORDS)]).to.deep.equal([]);
      scene.expectSame(EVERYTHING, undefined);
      await scene.close();
    });

    it("says of a flipped bit anywhere in entries and pages that it is damage, and of nothing else", async () => {
      const scene = await Scene.over(subject);
      await scene.take({ type: "change", changes: numbered(200, 1) });
      await scene.take({ type: "checkpoint" });
      await scene.take({ type: "change", changes: numbered(200, 2).slice(0, 20) });
      await scene.take({ type: "absorb" });
      await scene.take({ type: "change", changes: numbered(200, 3).slice(10, 30) });
      const copies = (range: Iterable<readonly [Uint8Array, Uint8Array]>): [Uint8Array, Uint8Array][] =>
        [...range].map(([key, bytes]) => [new Uint8Array(key), new Uint8Array(bytes)]);
      const entries = copies(scene.store.state.range(EVERYTHING, undefined));
      const pages = copies(scene.store.local.range(...pageRange(ROOT_PREFIX)));
      for (const [part, found] of [
        ["state", entries],
        ["local", pages],
      ] as const)
        for (const [n, [key, bytes]] of found.entries()) {
          const damaged = new Uint8Array(bytes);
          const at = (n * 37) % bytes.length;
          damaged[at] = (damaged[at] ?? 0) ^ (1 << (n & 7));
          scene.write({ [part]: [{ key, value: damaged }] });
          if (part === "state") expect(() => scene.tree.get(key), bytesToHex(key)).to.throw(StateDamage);
          expect(() => expect(scene.opened().verify()).to.equal(true), bytesToHex(key)).to.throw();
          scene.write({ [part]: [{ key, value: bytes }] });
        }
      expect(scene.opened().verify()).to.equal(true);
      await scene.close();
    }).timeout(60_000);

    const { crash } = subject;
    if (crash !== undefined)
      it("is after a power cut what it was after one of its groups", async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.nat(12), async (steps, kept) => {
            const scene = await Scene.over(subject);
            await scene.take({ type: "flush" });
            const roots = new Set([scene.tree.rootNow()]);
            for (const one of steps.filter(({ type }) => type !== "reopen")) {
              await scene.take(one);
              roots.add(scene.tree.rootNow());
            }
            scene.store = await crash(scene.store, kept);
            const tree = scene.opened();
            expect(tree.verify()).to.equal(true);
            expect(roots.has(tree.rootNow())).to.equal(true);
          }),
          { seed: 20_263, numRuns: 60 },
        );
      }).timeout(60_000);
  });
}

/** A tree over a store, and the plain maps that both stand for. */
class Scene {
  store: ReplicaStore;
  tree: StateTree;
  readonly #subject: TreeSubject;
  readonly #plain = new Map<string, Uint8Array>();
  readonly #kept = new Map<number, Plain>();

  private constructor(subject: TreeSubject, store: ReplicaStore) {
    this.#subject = subject;
    this.store = store;
    this.tree = this.opened();
    this.checkpoint(0);
  }

  static async over(subject: TreeSubject): Promise<Scene> {
    return new Scene(subject, await subject.create());
  }

  opened(): StateTree {
    return new StateTree({ state: this.store.state, local: this.store.local, hasher, partOf });
  }

  write({ state = [], local = [] }: { readonly state?: readonly Change[]; readonly local?: readonly Change[] }): void {
    this.store.writeAtomically({ state, local });
  }

  async take(taken: Step): Promise<void> {
    switch (taken.type) {
      case "change":
        this.write(this.tree.change(taken.changes));
        return apply(this.#plain, taken.changes);
      case "checkpoint":
        return this.checkpoint(Math.max(...this.#kept.keys()) + 1);
      case "drop": {
        const older = [...this.#kept.keys()].slice(0, -1);
        const dropped = older[taken.which % Math.max(1, older.length)];
        return dropped === undefined ? undefined : this.drop(dropped);
      }
      case "reopen":
        this.store = await this.#subject.reopen(this.store);
        this.tree = this.opened();
        return;
      case "absorb":
        return this.write({ local: this.tree.absorb(10) });
      case "tidy":
        return this.write({ local: this.tree.tidied(taken) });
      case "begin-flush":
        return this.store.flush(() => undefined);
      case "flush":
        return await new Promise((resolve, reject) =>
          this.store.flush((failure) => (failure === undefined ? resolve() : reject(failure))),
        );
    }
  }

  checkpoint(seq: number): void {
    this.write({ local: this.tree.checkpoint(sequenceNumber(seq)).local });
    this.#kept.set(seq, new Map(this.#plain));
  }

  drop(seq: number): void {
    this.write({ local: [this.tree.drop(sequenceNumber(seq))] });
    this.#kept.delete(seq);
  }

  /** Until nothing is left of what was dropped. */
  tidy(): void {
    const limits = { records: 50, handedDown: 20, bytes: 5000 };
    for (let local = this.tree.tidied(limits); local.length > 0; local = this.tree.tidied(limits))
      this.write({ local });
  }

  close(): Promise<void> {
    return this.store.close();
  }

  expectSame(from: Uint8Array, to: Uint8Array | undefined): void {
    const { tree } = this;
    expect(tree.rootNow()).to.equal(rootOf(this.#plain));
    expect(tree.verify()).to.equal(true);
    const sorted = [...this.#plain].sort(([a], [b]) => compareBytes(hexToBytes(a), hexToBytes(b)));
    const isIn = (key: Uint8Array): boolean =>
      compareBytes(key, from) >= 0 && (to === undefined || compareBytes(key, to) < 0);
    const spelled = (found: Iterable<readonly [Uint8Array, Uint8Array]>): string[] =>
      [...found].map(([key, value]) => `${bytesToHex(key)} ${bytesToHex(value)}`);
    expect(spelled(tree.range(from, to))).to.deep.equal(
      spelled(sorted.map(([name, value]) => [hexToBytes(name), value] as const).filter(([key]) => isIn(key))),
    );
    expect(tree.kept.map(({ seq }) => seq)).to.deep.equal([...this.#kept.keys()]);
    for (const [seq, plain] of this.#kept) this.#expectSnapshot(seq, plain);
  }

  /** Every entry, and for some keys, there or not, the proof: judged by the other hasher, as a browser does. */
  #expectSnapshot(seq: number, plain: Plain): void {
    const snapshot = this.tree.at(sequenceNumber(seq))!;
    expect(snapshot.root, `root at ${seq}`).to.equal(rootOf(plain));
    expect([...snapshot.pages()].length).to.be.greaterThan(0);
    for (let n = 0; n <= 600; n++) {
      const key = n <= 20 ? Uint8Array.of(n) : keyOf(n);
      const value = plain.get(bytesToHex(key));
      expect(snapshot.get(key), `${bytesToHex(key)} at ${seq}`).to.deep.equal(value);
      if (n % 60 !== 7) continue;
      const place = { part: partOf(key), key };
      const other = value === undefined ? Uint8Array.of(1) : undefined;
      expect(isProven(browserHasher, snapshot.root, place, value, snapshot.prove(key))).to.equal(true);
      expect(isProven(browserHasher, snapshot.root, place, other, snapshot.prove(key))).to.equal(false);
    }
  }
}

const browserHasher = createNobleHasher();

function keyOf(n: number): Uint8Array {
  return Uint8Array.of(n % 3, n >> 8, n);
}

function numbered(count: number, value: number): Change[] {
  return Array.from({ length: count }, (_, n) => ({ key: keyOf(n), value: Uint8Array.of(value) }));
}

function apply(plain: Map<string, Uint8Array>, changes: readonly Change[]): void {
  for (const { key, value } of changes)
    if (value === undefined) plain.delete(bytesToHex(key));
    else plain.set(bytesToHex(key), value);
}

/** The root of a tree that is made of these entries at once. */
function rootOf(plain: Plain): Digest {
  const store = createMemoryStore();
  const tree = new StateTree({ state: store.state, local: store.local, hasher, partOf });
  tree.change([...plain].map(([name, value]) => ({ key: hexToBytes(name), value })));
  return tree.rootNow();
}
