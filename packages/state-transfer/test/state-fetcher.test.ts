import { bytesToHex, utf8 } from "@quorate/protocol";
import { pageKey, StateTree } from "@quorate/state-tree";
import { expect } from "chai";
import fc from "fast-check";
import { LIARS } from "./liars.ts";
import {
  certificateOf,
  changesOf,
  correctDonor,
  differenceOf,
  hasher,
  partOf,
  Stores,
  Transfer,
} from "./transfer-model.ts";

type Entries = Map<string, Uint8Array>;

/** Few keys, or so many that pages split; and values that are large beside a request's budget. */
const key = fc.oneof(
  fc.nat(20).map((n) => Uint8Array.of(n)),
  { weight: 3, arbitrary: fc.nat(900).map((n) => Uint8Array.of(n % 3, n >> 8, n)) },
);
const value = fc.oneof(
  { weight: 20, arbitrary: fc.uint8Array({ maxLength: 30 }) },
  fc.nat(3000).map((n) => new Uint8Array(n).fill(n)),
);
const some = fc.array(fc.tuple(key, value), { maxLength: 40 });
/** Mostly of part 2, all in one bucket or in pages of pages. */
const many = fc
  .tuple(fc.nat(900), fc.nat(255), fc.integer({ min: 1, max: 4 }))
  .map(([count, seed, step]) =>
    Array.from(
      { length: count },
      (_, n) => [Uint8Array.of((n * step) % 3, n >> 8, n), Uint8Array.of(seed, n)] as [Uint8Array, Uint8Array],
    ),
  );
const entries: fc.Arbitrary<Entries> = fc
  .tuple(many, some)
  .map(([most, rest]) => new Map([...most, ...rest].map(([k, v]) => [bytesToHex(k), v])));
const changes = fc.array(fc.tuple(key, fc.option(value, { nil: undefined })), { maxLength: 80 });

function changed(before: Entries, by: readonly (readonly [Uint8Array, Uint8Array | undefined])[]): Entries {
  const after = new Map(before);
  for (const [k, v] of by)
    if (v === undefined) after.delete(bytesToHex(k));
    else after.set(bytesToHex(k), v);
  return after;
}

/** Kept checkpoints, undo records, and changes since the last checkpoint, some of which the pages have: the store of a replica that was at work. */
function atWork(before: Entries, by: readonly (readonly [Uint8Array, Uint8Array | undefined])[]): Stores {
  const stores = Stores.of(before, 1);
  const tree = stores.tree();
  by.forEach(([k, v], n) => {
    stores.change(tree, [{ key: k, value: v }]);
    if (n % 7 === 6) stores.local.write(tree.absorb(5));
    if (n % 20 === 19) stores.checkpoint(tree, 2 + n);
  });
  return stores;
}

function damaged(stores: Stores, flips: readonly (readonly [boolean, number, number])[]): Stores {
  for (const [isState, which, bit] of flips) {
    const store = isState ? stores.state : stores.local;
    const names = [...store.entries.keys()].filter((name) => isState || name.startsWith("706167652f"));
    const name = names[which % Math.max(1, names.length)];
    if (name === undefined) continue;
    const bytes = store.entries.get(name)!;
    const key = Uint8Array.from(Buffer.from(name, "hex"));
    if (bit % 7 === 0) store.write([{ key, value: undefined }]);
    else if (bit % 7 === 1) store.write([{ key, value: bytes.slice(0, bit % (bytes.length + 1)) }]);
    else if (bytes.length > 0) {
      const flipped = bytes.slice();
      flipped[(bit >> 3) % bytes.length]! ^= 1 << (bit & 7);
      store.write([{ key, value: flipped }]);
    }
  }
  return stores;
}

const flips = fc.array(fc.tuple(fc.boolean(), fc.nat(), fc.nat(1 << 20)), { minLength: 1, maxLength: 6 });
const local: fc.Arbitrary<(target: Entries) => { stores: Stores; distrustsEntries: boolean }> = fc.oneof(
  fc.constant(() => ({ stores: new Stores(), distrustsEntries: false })),
  entries.map((unrelated) => () => ({ stores: Stores.of(unrelated, 3), distrustsEntries: false })),
  fc.tuple(changes, changes).map(([older, since]) => (target: Entries) => {
    return { stores: atWork(changed(target, older), since), distrustsEntries: false };
  }),
  fc.tuple(changes, flips).map(([older, flipped]) => (target: Entries) => {
    return { stores: damaged(Stores.of(changed(target, older), 3), flipped), distrustsEntries: true };
  }),
);
const liar = fc.constantFrom(...Object.keys(LIARS));
const crashes = fc.array(fc.tuple(fc.nat(12), fc.boolean()), { maxLength: 4 });
/** The share of the bulk groups that a crash leaves. */
const bulkLeft = fc.constantFrom(0, 0.3, 0.7, 1);
const TARGET = 500;

describe("a state fetcher", () => {
  it("ends with the store of a tree made at once, whatever was here, as long as one donor is correct", () => {
    fc.assert(
      fc.property(
        ...[entries, local, fc.array(liar, { maxLength: 3 }), fc.nat(3), crashes, fc.nat(1000), bulkLeft],
        (target, makeLocal, liars, place, crashesAt, seed, left) => {
          const expected = Stores.of(target, TARGET);
          const { stores, distrustsEntries } = makeLocal(target);
          const donors = liars.map((name) => LIARS[name]!(expected, seed));
          donors.splice(place, 0, correctDonor(expected));
          const crashed = new Map(
            crashesAt.map(([group, isBefore]) => [group, isBefore ? "before" : "after"] as const),
          );
          const limits = { requestBytes: 4096, workMax: 300, openMax: 16, heldBytesMax: 8192 };
          const certificate = certificateOf(expected);
          const crashAt = (group: number): "before" | "after" | undefined => crashed.get(group);
          const bulkKept = (groups: number): number => Math.floor(left * groups);
          const options = { stores, target: certificate, donors, distrustsEntries, limits, crashAt, bulkKept };
          const transfer = new Transfer(options).run(seed % 50);
          if (transfer.done === undefined) transfer.settleNow();
          transfer.run();
          expect(differenceOf(stores, expected)).to.equal(undefined);
          expect(stores.tree().last?.root).to.equal(transfer.done?.treeRoot);
          expect(transfer.openMax).to.be.at.most(16 * 8);
          const correct = Math.min(place, liars.length);
          expect(transfer.rejections.filter(({ from }) => from === correct)).to.deep.equal([]);
        },
      ),
      { numRuns: 80 },
    );
  }).timeout(120_000);

  it("moves on to a newer target from wherever it is, and to one that undoes the first", () => {
    fc.assert(
      fc.property(
        ...[entries, local, changes, fc.boolean(), fc.nat(40), crashes, bulkLeft],
        (first, makeLocal, by, isUndone, calls, crashesAt, left) => {
          const { stores, distrustsEntries } = makeLocal(first);
          const second = changed(first, by);
          const [older, newer] = isUndone ? [second, first] : [first, second];
          const [from, expected] = [Stores.of(older, 400), Stores.of(newer, TARGET)];
          const crashed = new Map(
            crashesAt.map(([group, isBefore]) => [group, isBefore ? "before" : "after"] as const),
          );
          const limits = { requestBytes: 4096, workMax: 300, openMax: 16, heldBytesMax: 8192 };
          const transfer = new Transfer({
            ...{ stores, target: certificateOf(from), donors: [correctDonor(from), correctDonor(from)] },
            ...{ distrustsEntries, limits, crashAt: (group: number) => crashed.get(group) },
            bulkKept: (groups) => Math.floor(left * groups),
          }).run(calls);
          if (transfer.done === undefined) {
            transfer.supersede(certificateOf(expected), [correctDonor(from), correctDonor(expected)]);
            transfer.run();
          }
          const end = transfer.done?.seq === TARGET ? expected : from;
          expect(differenceOf(stores, end)).to.equal(undefined);
        },
      ),
      { numRuns: 80 },
    );
  }).timeout(120_000);
});

const VALUE = 1000;
function large(count: number): Entries {
  return new Map(
    Array.from({ length: count }, (_, n) => {
      const bytes = new Uint8Array(VALUE);
      for (let at = 0; at < VALUE; at += 32)
        bytes.set(Buffer.from(hasher.digest(Uint8Array.of(n >> 16, n >> 8, n, at)), "hex").subarray(0, VALUE - at), at);
      return [bytesToHex(Uint8Array.of(n < 20 ? n % 2 : 2, n >> 16, n >> 8, n)), bytes];
    }),
  );
}

describe("the cost of a state transfer", () => {
  it("is close to the size of what changed", () => {
    const count = 20_000;
    const target = large(count);
    const older = new Map(target);
    for (const name of [...older.keys()].filter((_, n) => n % 100 === 50)) older.set(name, new Uint8Array(VALUE));
    const expected = Stores.of(target, TARGET);
    const stores = Stores.of(older, 3);
    const donors = [0, 1, 2].map(() => correctDonor(expected));
    const transfer = new Transfer({ stores, target: certificateOf(expected), donors }).run();
    expect(differenceOf(stores, expected)).to.equal(undefined);
    const share = transfer.bytes / (count * VALUE);
    expect(share, `${transfer.bytes} bytes of ${count * VALUE}`).to.be.lessThan(0.03);
    const { leavesFetched, leavesSkipped } = transfer.fetcher.progress!;
    expect([leavesFetched, leavesSkipped]).to.deep.equal([200, count - 200]);
  }).timeout(60_000);

  it("is not paid twice after crashes", () => {
    const expected = Stores.of(large(3_000), TARGET);
    const donors = [0, 1].map(() => correctDonor(expected));
    const run = (crashAt: (group: number) => "after" | undefined): Transfer => {
      const options = { stores: new Stores(), target: certificateOf(expected), donors, crashAt };
      return new Transfer({ ...options, limits: { openMax: 8, requestBytes: 16_384 } }).run();
    };
    const smooth = run(() => undefined);
    const rough = run((group) => (group % 20 === 0 ? "after" : undefined));
    expect(rough.bytes).to.be.lessThan(1.3 * smooth.bytes);
  }).timeout(60_000);

  it("is what was on its way when a crash loses that, and nothing is missed for it", () => {
    const expected = Stores.of(large(200), TARGET);
    const donors = [correctDonor(expected)];
    let wasLost = false;
    for (let crash = 1, isOver = false; !isOver; crash++)
      for (const left of [0, 0.5]) {
        isOver = true;
        const stores = new Stores();
        const transfer = new Transfer({
          ...{ stores, target: certificateOf(expected), donors, limits: { openMax: 8, requestBytes: 16_384 } },
          crashAt: (group) => {
            if (group !== crash) return undefined;
            isOver = false;
            return "after";
          },
          bulkKept: (groups) => {
            wasLost ||= groups > 1;
            return Math.floor(left * groups);
          },
        }).run();
        expect(differenceOf(stores, expected), `after group ${crash}, ${left} left`).to.equal(undefined);
        expect(transfer.settled).to.be.greaterThan(0);
      }
    expect(wasLost).to.equal(true);
  }).timeout(60_000);

  it("is not paid again for what was on its way to an older target, and nothing of that one is left", () => {
    const first = large(200);
    const second = new Map([...first].filter((_, n) => n % 10 !== 5));
    const [older, newer] = [Stores.of(first, 400), Stores.of(second, TARGET)];
    let skippedMost = 0;
    for (let calls = 0; calls < 30; calls++) {
      const stores = new Stores();
      const limits = { openMax: 8, requestBytes: 16_384 };
      const transfer = new Transfer({ stores, target: certificateOf(older), donors: [correctDonor(older)], limits });
      transfer.run(calls);
      if (transfer.done !== undefined) break;
      transfer.supersede(certificateOf(newer), [correctDonor(newer)]);
      transfer.run();
      expect(differenceOf(stores, newer), `after ${calls} calls`).to.equal(undefined);
      skippedMost = Math.max(skippedMost, transfer.fetcher.progress?.leavesSkipped ?? 0);
    }
    expect(skippedMost).to.be.greaterThan(50);
  }).timeout(60_000);

  it("is a bounded number of open pages and of entries in one group, whatever the size of the state", () => {
    const openMax = 12;
    const peaks = [500, 6_000].map((count) => {
      const expected = Stores.of(large(count), TARGET);
      const limits = { openMax, workMax: 200, heldBytesMax: 20_000, requestBytes: 16_384 };
      const donors = [0, 1, 2].map(() => correctDonor(expected));
      const transfer = new Transfer({ stores: new Stores(), target: certificateOf(expected), donors, limits }).run();
      return [transfer.openMax, transfer.groupEntriesMax] as const;
    });
    for (const [open, group] of peaks) {
      expect(open).to.be.at.most(3 * openMax);
      expect(group).to.be.at.most(1_500);
    }
  }).timeout(60_000);

  it("is that of a few pages of each level, also where there are many levels", () => {
    const openMax = 12;
    const wide = new Map(
      Array.from({ length: 20_000 }, (_, n) => [bytesToHex(Uint8Array.of(2, n >> 8, n)), Uint8Array.of(n)] as const),
    );
    const expected = Stores.of(wide, TARGET);
    const options = { stores: new Stores(), target: certificateOf(expected), donors: [correctDonor(expected)] };
    const transfer = new Transfer({ ...options, limits: { openMax } }).run(400);
    expect(transfer.fetcher.progress!.leavesFetched).to.be.greaterThan(500);
    expect(transfer.openMax).to.be.at.most(3 * openMax);
  }).timeout(60_000);

  it("of removing nearly everything is spread over many groups", () => {
    const target = large(30);
    const expected = Stores.of(target, TARGET);
    const stores = atWork(large(4_000), []);
    const limits = { workMax: 100 };
    const transfer = new Transfer({
      stores,
      target: certificateOf(expected),
      donors: [correctDonor(expected)],
      limits,
    });
    transfer.run();
    expect(differenceOf(stores, expected)).to.equal(undefined);
    expect(transfer.groupEntriesMax).to.be.at.most(500);
  }).timeout(60_000);
});

describe("the donors of a state transfer", () => {
  const expected = Stores.of(large(2_000), TARGET);
  const run = (...donors: readonly ReturnType<typeof correctDonor>[]): Transfer => {
    const limits = { requestBytes: 32_768 };
    return new Transfer({ stores: new Stores(), target: certificateOf(expected), donors, limits }).run();
  };

  it("all have a share, and four requests each at most", () => {
    const transfer = run(...[0, 1, 2].map(() => correctDonor(expected)));
    expect(transfer.unansweredMax).to.equal(4);
    const asked = [...transfer.asked.values()];
    expect(Math.min(...asked)).to.be.greaterThan(0.5 * Math.max(...asked));
  });

  it("are asked no more once they lied, as long as there are others", () => {
    const transfer = run(LIARS.flips!(expected, 1), correctDonor(expected), LIARS.flips!(expected, 2));
    for (const from of [0, 2]) expect(transfer.asked.get(from) ?? 0, `${from}`).to.be.at.most(2);
    expect(transfer.rejections.map(({ from }) => from)).to.include.members([0, 2]);
  });

  it("are asked no more once they said that they have it not", () => {
    const transfer = run(LIARS.unavailable!(expected, 1), correctDonor(expected));
    expect(transfer.asked.get(0)).to.be.at.most(2);
    expect(transfer.rejections).to.deep.equal([]);
  });

  it("are asked again after a pause when nobody else is left", () => {
    let isLying = true;
    const liar = LIARS.flips!(expected, 1);
    const correct = correctDonor(expected);
    const transfer = run((request, atMs) => {
      const answer = isLying ? liar(request, atMs) : correct(request, atMs);
      isLying = atMs < 3_000;
      return answer;
    });
    expect(differenceOf(transfer.stores, expected)).to.equal(undefined);
    expect(transfer.rejections.length).to.be.within(2, 4);
  });

  it("that lied about the last target come last for the next one", () => {
    const transfer = new Transfer({
      ...{ stores: new Stores(), target: certificateOf(expected) },
      donors: [LIARS.flips!(expected, 1), correctDonor(expected)],
    });
    while (transfer.rejections.length === 0) transfer.run(1);
    const next = Stores.of(large(100), TARGET + 1);
    transfer.supersede(certificateOf(next), [correctDonor(next), correctDonor(next)]);
    transfer.asked.clear();
    transfer.run(1);
    expect([...transfer.asked.keys()]).to.deep.equal([1]);
  });

  it("that are slow beside others cost little time", () => {
    const started = run(correctDonor(expected));
    const slowed = run(correctDonor(expected), correctDonor(expected, 4_900));
    expect(slowed.nowMs).to.be.lessThan(started.nowMs + 2_500);
  });

  it("that are all slow are waited for", () => {
    const transfer = run(correctDonor(expected, 4_900), correctDonor(expected, 4_800));
    expect(differenceOf(transfer.stores, expected)).to.equal(undefined);
  });

  it("that have lost parts of the state lack them, and the others have them", () => {
    const damagedOnes = [0, 1].map((odd) => {
      const stores = Stores.of(large(2_000), TARGET);
      for (const [n, name] of [...stores.state.entries.keys()].entries())
        if (n % 2 === odd) stores.state.entries.set(name, stores.state.entries.get(name)!.with(40, 0xff));
      return correctDonor(stores);
    });
    const transfer = run(...damagedOnes);
    expect(differenceOf(transfer.stores, expected)).to.equal(undefined);
  });
});

describe("a bucket larger than what may wait in memory", () => {
  /** One bucket of part 2: some keys are in all of these states, some in one only. */
  const bucketOf = (from: number, seed: number): Entries =>
    new Map(
      Array.from({ length: 60 }, (_, n) => [
        bytesToHex(Uint8Array.of(2, 0, from + n)),
        new Uint8Array(VALUE).fill(seed + n),
      ]),
    );
  const [before, first, second] = [bucketOf(0, 0), bucketOf(20, 100), bucketOf(70, 0)];
  const limits = { heldBytesMax: 3_000, requestBytes: 4_096, requestsPerDonorMax: 1 };

  it("is written in parts, none of which is lost or left behind whatever comes then", () => {
    const [one, two] = [Stores.of(first, 400), Stores.of(second, TARGET)];
    for (let calls = 1; calls < 20; calls++) {
      const stores = Stores.of(before, 3);
      const transfer = new Transfer({ stores, target: certificateOf(one), donors: [correctDonor(one)], limits });
      transfer.run(calls);
      transfer.supersede(certificateOf(two), [correctDonor(two)]);
      const end = transfer.run().done?.seq === TARGET ? two : one;
      expect(differenceOf(stores, end), `after ${calls} calls`).to.equal(undefined);
    }
  });

  it("is not taken for whole after a crash, and what was written is not fetched again", () => {
    const one = Stores.of(first, 400);
    for (let crash = 1; crash < 15; crash++) {
      const stores = Stores.of(before, 3);
      const crashAt = (group: number): "after" | undefined => (group === crash ? "after" : undefined);
      const options = { stores, target: certificateOf(one), donors: [correctDonor(one)], limits, crashAt };
      const transfer = new Transfer(options).run();
      expect(differenceOf(stores, one), `crash after group ${crash}`).to.equal(undefined);
      expect(transfer.bytes, `crash after group ${crash}`).to.be.lessThan(60 * VALUE + 20_000);
    }
  });
});

describe("an unfinished installation", () => {
  for (const isAbsorbed of [false, true])
    it(`takes back first what was executed since the last checkpoint, be it what the target has${isAbsorbed ? " and the pages, too" : ""}`, () => {
      const target = large(100);
      const stores = Stores.of(new Map([...target].map(([name]) => [name, Uint8Array.of(1)])), 3);
      const tree = stores.tree();
      stores.change(tree, changesOf(target));
      if (isAbsorbed) stores.local.write(tree.absorb(target.size));
      const goal = Stores.of(target, TARGET);
      new Transfer({ stores, target: certificateOf(goal), donors: [correctDonor(goal)] }).run();
      expect(differenceOf(stores, goal)).to.equal(undefined);
    });

  const expected = Stores.of(large(300), TARGET);

  it("fetches nothing of a state that is here once that is taken back, though each entry is read", () => {
    const target = large(100);
    const stores = Stores.of(target, 3);
    stores.change(stores.tree(), changesOf(new Map([...target].map(([name]) => [name, Uint8Array.of(1)]))));
    const goal = Stores.of(target, TARGET);
    const options = { stores, target: certificateOf(goal), donors: [correctDonor(goal)], distrustsEntries: true };
    const transfer = new Transfer(options).run();
    expect(differenceOf(stores, goal)).to.equal(undefined);
    expect(transfer.fetcher.progress!.leavesFetched).to.equal(0);
  });

  it("is marked in the store, which no state tree opens", () => {
    const stores = Stores.of(large(100), 3);
    const limits = { openMax: 2, requestBytes: 4096 };
    const transfer = new Transfer({
      stores,
      target: certificateOf(expected),
      donors: [correctDonor(expected)],
      limits,
    });
    transfer.run(8);
    expect(() => new StateTree({ ...stores, hasher, partOf })).to.throw("state-tree.installing");
    transfer.run();
    expect(stores.tree().kept.map(({ seq }) => seq)).to.deep.equal([TARGET]);
  });

  it("goes on where its mark is damaged, and believes nothing of what is here", () => {
    for (const length of [0, 40, 42]) {
      const stores = damaged(Stores.of(large(300), 3), [[true, 5, 2]]);
      stores.local.write([{ key: utf8("installing"), value: new Uint8Array(length) }]);
      expect(() => new StateTree({ ...stores, hasher, partOf })).to.throw("state-tree.installing");
      new Transfer({ stores, target: certificateOf(expected), donors: [correctDonor(expected)] }).run();
      expect(differenceOf(stores, expected), `${length} bytes`).to.equal(undefined);
    }
  });

  it("has the parts in their order: membership and sessions before anything of the application", () => {
    const stores = new Stores();
    const limits = { openMax: 4, requestBytes: 2048 };
    const transfer = new Transfer({
      stores,
      target: certificateOf(expected),
      donors: [correctDonor(expected)],
      limits,
    });
    for (let calls = 0; transfer.done === undefined && calls < 1000; calls++) {
      transfer.run(1);
      const partsComplete = transfer.partsSeen.at(-1)!;
      const there = [...stores.state.entries.keys()].map((name) => Number.parseInt(name.slice(0, 2), 16));
      for (const part of there) expect(part, "a part before its turn").to.be.at.most(partsComplete);
      for (const part of [0, 1].filter((each) => each < partsComplete))
        expect(there.filter((each) => each === part).length, `part ${part}`).to.equal(10);
    }
    expect([...new Set(transfer.partsSeen)]).to.include.members([0, 1, 2]);
  });

  it("changes nothing here before a donor has shown the root of the target", () => {
    const stores = Stores.of(large(100), 3);
    const before = stores.copy();
    const silent = (): [] => [];
    new Transfer({ stores, target: certificateOf(expected), donors: [silent, silent] }).run(50);
    expect(differenceOf(stores, before)).to.equal(undefined);
  });
});

describe("a repair", () => {
  it("finds every damaged entry, fetches just those, and names them", () => {
    const target = large(500);
    const expected = Stores.of(target, TARGET);
    const stores = Stores.of(target, TARGET);
    const names = [...target.keys()].filter((_, n) => n % 50 === 7);
    for (const name of names) {
      const record = stores.state.entries.get(name)!.slice();
      record[record.length - 1]! ^= 1;
      stores.state.write([{ key: Uint8Array.from(Buffer.from(name, "hex")), value: record }]);
    }
    const stray = Uint8Array.of(2, 9, 9, 9, 9);
    stores.state.write([{ key: stray, value: new Uint8Array(50) }]);
    const donors = [correctDonor(expected)];
    const options = { stores, target: certificateOf(expected), donors, distrustsEntries: true };
    const transfer = new Transfer(options).run();
    expect(differenceOf(stores, expected)).to.equal(undefined);
    const { differing, leavesFetched } = transfer.fetcher.progress!;
    expect(differing.keys.map(bytesToHex).sort()).to.deep.equal([...names, bytesToHex(stray)].sort());
    expect(leavesFetched).to.equal(names.length);
  });

  it("removes pages that stand below a bucket, too", () => {
    const expected = Stores.of(large(300), TARGET);
    const stores = Stores.of(large(300), TARGET);
    const page = stores.local.get(pageKey(Uint8Array.of(1)))!;
    stores.local.write([{ key: pageKey(Uint8Array.of(1, 5, 5)), value: page }]);
    const donors = [correctDonor(expected)];
    new Transfer({ stores, target: certificateOf(expected), donors, distrustsEntries: true }).run();
    expect(differenceOf(stores, expected)).to.equal(undefined);
  });

  it("names no more than a hundred keys, and counts them all", () => {
    const expected = Stores.of(large(300), TARGET);
    const donors = [correctDonor(expected)];
    const transfer = new Transfer({ stores: new Stores(), target: certificateOf(expected), donors }).run();
    expect(transfer.fetcher.progress!.differing.count).to.equal(300);
    expect(transfer.fetcher.progress!.differing.keys.length).to.equal(100);
  });

  it("takes nothing for right in a store that has a state and no checkpoint of it", () => {
    const expected = Stores.of(large(300), TARGET);
    const stores = new Stores();
    stores.state.write([{ key: Uint8Array.of(2, 9, 9, 9, 9), value: new Uint8Array(50) }]);
    new Transfer({ stores, target: certificateOf(expected), donors: [correctDonor(expected)] }).run();
    expect(differenceOf(stores, expected)).to.equal(undefined);
  });

  it("that was found necessary on the way goes on as one after a crash", () => {
    const target = large(700);
    const expected = Stores.of(target, TARGET);
    const older = changed(target, [[Uint8Array.of(2, 7, 7, 7, 7), Uint8Array.of(1)]]);
    for (let crash = 1; crash <= 12; crash++) {
      const stores = Stores.of(older, 3);
      const lost = [...stores.local.entries.keys()].filter((n) => n.startsWith("706167652f02") && n.length === 14);
      stores.local.write(lost.map((name) => ({ key: Uint8Array.from(Buffer.from(name, "hex")), value: undefined })));
      const crashAt = (group: number): "after" | undefined => (group === crash ? "after" : undefined);
      const donors = [correctDonor(expected)];
      new Transfer({ stores, target: certificateOf(expected), donors, crashAt, limits: { workMax: 300 } }).run();
      expect(differenceOf(stores, expected), `crash after group ${crash}`).to.equal(undefined);
    }
  }).timeout(60_000);

  it("distrusts everything by itself where a page of the tree is lost or cannot be", () => {
    const target = large(700);
    const expected = Stores.of(target, TARGET);
    const older = changed(target, [[Uint8Array.of(2, 7, 7, 7, 7), Uint8Array.of(1)]]);
    for (const kind of ["lost", "cut"] as const) {
      const stores = Stores.of(older, 3);
      const pages = [...stores.local.entries].filter(([name]) => name.startsWith("706167652f02") && name.length === 14);
      for (const [name, page] of pages) {
        const value = kind === "lost" ? undefined : page.slice(0, -1);
        stores.local.write([{ key: Uint8Array.from(Buffer.from(name, "hex")), value }]);
      }
      expect(pages.length).to.be.greaterThan(100);
      new Transfer({ stores, target: certificateOf(expected), donors: [correctDonor(expected)] }).run();
      expect(differenceOf(stores, expected), kind).to.equal(undefined);
    }
  });
});
