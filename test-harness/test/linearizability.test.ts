import {
  checkHistory,
  type HistoryOperation,
  isSameAnswer,
  type KvAnswer,
  type KvRequest,
  type KvText,
  Prng,
  stepModel,
} from "@quorate/test-harness";
import { expect } from "chai";
import fc from "fast-check";

const GET: KvRequest = { op: "get" };
const DEL: KvRequest = { op: "del" };
const put = (value: string): KvRequest => ({ op: "put", value });
const cas = (expect: KvText, value: KvText): KvRequest => ({ op: "cas", expect, value });
const incr = (by: number): KvRequest => ({ op: "incr", value: BigInt(by) });
const value = (text: KvText): KvAnswer => ({ type: "value", value: text });
const existed = (yes: boolean): KvAnswer => ({ type: "existed", existed: yes });
const sum = (of: number): KvAnswer => ({ type: "sum", sum: BigInt(of) });
const swapped = (yes: boolean, current: KvText): KvAnswer => ({ type: "swapped", swapped: yes, current });
const FAILED: KvAnswer = { type: "failed" };

describe("The linearizability checker accepts", () => {
  good("nothing at all", []);
  good("one call after the other", [
    call([0, 1], put("a"), existed(false)),
    call([2, 3], GET, value("a")),
    call([4, 5], cas("a", "b"), swapped(true, "b")),
    call([6, 7], cas("a", "c"), swapped(false, "b")),
    call([8, 9], incr(1), FAILED),
    call([10, 11], DEL, existed(true)),
    call([12, 13], incr(2), sum(2)),
    call([14, 15], GET, value("2")),
  ]);
  good("a read of either value while a write is on its way", [
    call([0, 1], put("a"), existed(false)),
    call([2, 9], put("b"), existed(true)),
    call([3, 4], GET, value("a")),
    call([5, 6], GET, value("b")),
  ]);
  good("calls that end and begin in the same nanosecond, in either order", [
    call([0, 5], put("a"), existed(false)),
    call([5, 9], GET, value(null)),
  ]);
  good("an unanswered write that appears late", [
    call([0, 1], put("a"), existed(false)),
    call([2], put("b")),
    call([3, 4], GET, value("a")),
    call([100, 101], GET, value("b")),
  ]);
  good("an unanswered write that never appears", [
    call([0, 1], put("a"), existed(false)),
    call([2], put("b")),
    call([100, 101], GET, value("a")),
  ]);
  good("keys that are each in order, though no order of all is needed to see it", [
    call([0, 1], put("a"), existed(false), "x"),
    call([0, 1], GET, value(null), "y"),
    call([2, 3], GET, value("a"), "x"),
  ]);
});

describe("The linearizability checker refuses", () => {
  bad("a stale read", [
    call([0, 1], put("a"), existed(false)),
    call([2, 3], put("b"), existed(true)),
    call([4, 5], GET, value("a")),
  ]);
  bad("a read that goes back, while the write is on its way", [
    call([0, 1], put("a"), existed(false)),
    call([2, 9], put("b"), existed(true)),
    call([3, 4], GET, value("b")),
    call([5, 6], GET, value("a")),
  ]);
  bad("a lost update", [call([0, 5], incr(1), sum(1)), call([1, 6], incr(1), sum(2)), call([7, 8], GET, value("1"))]);
  bad("two increments that give the same sum", [call([0, 5], incr(1), sum(1)), call([1, 6], incr(1), sum(1))]);
  bad("an increment that counts twice", [call([0, 1], incr(1), sum(1)), call([2, 3], GET, value("2"))]);
  bad("a compare-and-swap that succeeds twice", [
    call([0, 5], cas(null, "a"), swapped(true, "a")),
    call([1, 6], cas(null, "b"), swapped(true, "b")),
  ]);
  bad("a read from the future", [call([0, 1], GET, value("a")), call([2, 3], put("a"), existed(false))]);
  bad("an unanswered write that is read before it was called", [call([0, 1], GET, value("a")), call([2], put("a"))]);
  bad("an unanswered increment that takes effect twice", [
    call([0], incr(1)),
    call([1, 2], GET, value("1")),
    call([3, 4], GET, value("2")),
  ]);
  bad("an unanswered write that appears, is overwritten and appears again", [
    call([0], put("a")),
    call([1, 2], GET, value("a")),
    call([3, 4], put("b"), existed(true)),
    call([5, 6], GET, value("a")),
  ]);
  bad("a value that nobody wrote", [call([0, 1], GET, value("a"))]);
  bad("a refusal without a reason", [call([0, 1], incr(1), FAILED)]);
  bad("a deletion of what is not there", [call([0, 1], DEL, existed(true))]);

  it("and says where it stands, with the calls that cannot come next", () => {
    const stale = call([4, 5], GET, value("a"));
    const history = [call([0, 1], put("a"), existed(false)), call([2, 3], put("b"), existed(true)), stale];

    const { findings, operations, keys } = checkHistory([...history, call([0, 1], GET, value(null), "fine")]);

    expect({ operations, keys }).to.deep.equal({ operations: 4, keys: 2 });
    const [finding, ...others] = findings;
    expect(others).to.deep.equal([]);
    expect(finding).to.deep.include({ key: "x", verdict: "violation", operations: 3, explained: 2, state: "b" });
    expect(finding?.stuck).to.deep.equal([stale]);
  });
});

describe("The search of the linearizability checker", () => {
  it("accepts 5,000 overlapping operations of one key, some of them unanswered", () => {
    const history = recorded(new Prng("long"), { operations: 5_000, overlap: 8, unanswered: 0.02 });

    const { type, configurations } = checkHistory(history);

    expect(type).to.equal("linearizable");
    expect(configurations).to.be.lessThan(200_000);
  }).timeout(30_000);

  it("refuses a read of what was never written behind 5,000 overlapping operations", () => {
    const history = recorded(new Prng("long"), { operations: 5_000, overlap: 6, unanswered: 0 });
    const lastNs = Math.max(...history.map(({ returnNs, callNs }) => returnNs ?? callNs));
    const wrong = call([lastNs + 1, lastNs + 2], GET, value("never written"));

    const { type, findings } = checkHistory([...history, wrong]);

    expect(type).to.equal("violation");
    expect(findings[0]?.stuck).to.deep.equal([wrong]);
  }).timeout(30_000);

  it("gives up at its bound, and calls that undecided", () => {
    // The read fits no order, and every order of the writes has to be looked at to know.
    const writes = Array.from({ length: 12 }, (_, i) => call([i, 100], put(`${i}`)));
    const history = [...writes, call([101, 102], GET, value("nobody's"))];

    const verdict = checkHistory(history, { configurationsMax: 50 });

    expect(verdict.type).to.equal("undecided");
    expect(verdict.configurations).to.equal(50);
    expect(verdict.findings.map(({ verdict }) => verdict)).to.deep.equal(["undecided"]);
  });

  it("names a violation of one key even when another is undecided", () => {
    const writes = Array.from({ length: 12 }, (_, i) => call([i, 100], put(`${i}`), undefined, "tangled"));
    const history = [
      ...writes,
      call([101, 102], GET, value("nobody's"), "tangled"),
      call([0, 1], GET, value("x"), "bad"),
    ];

    const { type, findings } = checkHistory(history, { configurationsMax: 50 });

    expect(type).to.equal("violation");
    expect(findings.map(({ key, verdict }) => [key, verdict])).to.deep.equal([
      ["bad", "violation"],
      ["tangled", "undecided"],
    ]);
  });

  it("accepts whatever a store that does one after the other answers, however calls overlap", () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 6 }),
        (seed, size, overlap) => {
          const history = recorded(new Prng(seed), { operations: size, overlap, unanswered: 0.15 });

          expect(checkHistory(history).type).to.equal("linearizable");
        },
      ),
      { numRuns: 300, seed: 1 },
    );
  });

  it("comes to the verdict of trying every order, on small histories of which an answer was changed", () => {
    const verdicts = { linearizable: 0, violation: 0, undecided: 0 };
    fc.assert(
      fc.property(
        fc.string(),
        fc.integer({ min: 2, max: 6 }),
        fc.integer({ min: 1, max: 5 }),
        (seed, size, overlap) => {
          const prng = new Prng(seed);
          const history = mutated(prng, recorded(prng, { operations: size, overlap, unanswered: 0.2 }));

          const { type } = checkHistory(history);

          verdicts[type] += 1;
          expect(type).to.equal(hasOrder(history, null) ? "linearizable" : "violation");
        },
      ),
      { numRuns: 1_500, seed: 2 },
    );
    // Neither verdict is what everything gets.
    expect(verdicts.undecided).to.equal(0);
    expect(verdicts.linearizable).to.be.greaterThan(200);
    expect(verdicts.violation).to.be.greaterThan(200);
  });
});

function good(title: string, history: readonly HistoryOperation[]): void {
  it(title, () => expect(checkHistory(history).findings).to.deep.equal([]));
}

function bad(title: string, history: readonly HistoryOperation[]): void {
  it(title, () => expect(checkHistory(history).type).to.equal("violation"));
}

function call(
  [callNs, returnNs]: readonly [number, number?],
  request: KvRequest,
  answer?: KvAnswer,
  key = "x",
): HistoryOperation {
  return { client: 0, key, request, answer, callNs, returnNs: answer === undefined ? undefined : returnNs };
}

/** What clients of a correct store saw: each operation takes effect at its own moment, which its call and answer enclose. */
function recorded(
  prng: Prng,
  { operations, overlap, unanswered }: { operations: number; overlap: number; unanswered: number },
): HistoryOperation[] {
  let state: KvText = null;
  return Array.from({ length: operations }, (_, i) => {
    const request = draw(prng);
    const isLost = prng.chance(unanswered);
    const isNever = isLost && prng.chance(0.5);
    const step = stepModel(state, request);
    if (!isNever) state = step.state;
    const at = 100 * i;
    const callNs = Math.max(0, Math.floor(at - prng.between(0, 50 * overlap)));
    const returnNs = Math.ceil(at + prng.between(0, 50 * overlap));
    const seen = isLost ? { answer: undefined, returnNs: undefined } : { answer: step.answer, returnNs };
    return { client: i, key: "x", request, callNs, ...seen };
  });
}

function draw(prng: Prng): KvRequest {
  const text = `${prng.integer(0, 3)}`;
  switch (prng.integer(0, 7)) {
    case 0:
    case 1:
      return put(prng.chance(0.2) ? "text" : text);
    case 2:
      return DEL;
    case 3:
      return cas(prng.chance(0.3) ? null : text, prng.chance(0.2) ? null : `${prng.integer(0, 3)}`);
    case 4:
    case 5:
      return incr(prng.integer(1, 2));
    default:
      return GET;
  }
}

/** One answer becomes that of another operation, or of the same one in another state. */
function mutated(prng: Prng, history: readonly HistoryOperation[]): HistoryOperation[] {
  const victim = prng.integer(0, history.length - 1);
  const state = prng.pick<KvText>([null, "0", "1", "2", "3", "text"]);
  return history.map((operation, i) =>
    i !== victim || operation.answer === undefined
      ? operation
      : { ...operation, answer: stepModel(state, operation.request).answer },
  );
}

/** Tries every order, with nothing remembered and no shortcut. */
function hasOrder(left: readonly HistoryOperation[], state: KvText): boolean {
  if (left.every(({ answer }) => answer === undefined)) return true;
  const untilNs = Math.min(...left.map(({ returnNs }) => returnNs ?? Number.POSITIVE_INFINITY));
  return left.some((next) => {
    if (next.callNs > untilNs) return false;
    const step = stepModel(state, next.request);
    if (next.answer !== undefined && !isSameAnswer(next.answer, step.answer)) return false;
    return hasOrder(
      left.filter((operation) => operation !== next),
      step.state,
    );
  });
}
