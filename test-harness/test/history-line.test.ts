import { formatHistoryLine, HistoryLineError, type HistoryOperation, parseHistory } from "@quorate/test-harness";
import { expect } from "chai";

const at = { client: 1, key: "x", callNs: 5, returnNs: 9 };
const HISTORY: readonly HistoryOperation[] = [
  { ...at, request: { op: "get" }, answer: { type: "value", value: null } },
  { ...at, request: { op: "put", value: "ä" }, answer: { type: "existed", existed: true } },
  { ...at, request: { op: "del" }, answer: { type: "existed", existed: false } },
  {
    ...at,
    request: { op: "cas", expect: null, value: "b" },
    answer: { type: "swapped", swapped: false, current: "a" },
  },
  { ...at, request: { op: "incr", value: -3n }, answer: { type: "sum", sum: 2n ** 62n } },
  { ...at, request: { op: "incr", value: 1n }, answer: { type: "failed" } },
  { ...at, request: { op: "put", value: "late" }, answer: undefined, returnNs: undefined },
];

describe("A line of a history file", () => {
  it("says all of a call, so that what is read is what was written", () => {
    expect(parseHistory(HISTORY.map(formatHistoryLine).join("\n"))).to.deep.equal(HISTORY);
  });

  it("has the fields that other programs write", () => {
    const [, , , swap, increment, , late] = HISTORY.map(formatHistoryLine);

    expect(JSON.parse(swap!)).to.deep.equal({
      client: 1,
      op: "cas",
      key: "x",
      value: "b",
      expect: null,
      out: { swapped: false, current: "a" },
      call_ns: 5,
      return_ns: 9,
    });
    expect(JSON.parse(increment!)).to.include({ value: -3, out: "4611686018427387904" });
    expect(JSON.parse(late!)).to.include({ out: null, return_ns: null });
  });

  it("that says something else is refused, with its number and what was expected", () => {
    const base = { client: 0, op: "get", key: "x", out: null, call_ns: 5, return_ns: 9 };
    const wrong: readonly (readonly [unknown, RegExp])[] = [
      [[], /^line 1: expected a JSON object$/],
      [{ ...base, op: "range" }, /op is "range", expected get, put, del, cas or incr$/],
      [{ ...base, key: 1 }, /key is 1, expected text$/],
      [{ ...base, out: undefined }, /out is missing, expected text or null$/],
      [{ ...base, return_ns: 4 }, /return_ns is 4, expected at least call_ns, 5, or null$/],
      [{ ...base, call_ns: -1 }, /call_ns is -1, expected a whole number$/],
      [{ ...base, op: "del" }, /out of del is null, expected true or false$/],
      [{ ...base, op: "incr", value: "x" }, /value is "x", expected a whole number, or one as text$/],
      [{ ...base, op: "cas", expect: null, value: "a", out: true }, /out of cas is true, expected \{"swapped"/],
    ];
    for (const [line, message] of wrong)
      expect(() => parseHistory(JSON.stringify(line)), JSON.stringify(line)).to.throw(HistoryLineError, message);
    expect(() => parseHistory("{")).to.throw(HistoryLineError, /^line 1: this is not JSON/);
  });
});
