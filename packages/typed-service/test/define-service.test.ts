import { compareBytes, digest, publicKey, sequenceNumber, timestampMs } from "@quorate/protocol";
import { type ExecutionContext, Refusal, type StateStore } from "@quorate/state-machine";
import {
  anything,
  bigint,
  boolean,
  bytes,
  decodeValue,
  defineService,
  encodeCall,
  encodeValue,
  finite,
  integer,
  listOf,
  oneOf,
  operation,
  optional,
  record,
  type ServiceCalls,
  type ServiceValue,
  ServiceValueError,
  text,
} from "@quorate/typed-service";
import { expect } from "chai";

const CONTEXT: ExecutionContext = {
  seq: sequenceNumber(7),
  timestampMs: timestampMs(1_000),
  seed: digest("0".repeat(64)),
  client: publicKey("a".repeat(64)),
};

/** A state in a list. */
class ListState implements StateStore {
  #entries: (readonly [Uint8Array, Uint8Array])[] = [];

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.find(([other]) => compareBytes(other, key) === 0)?.[1];
  }
  put(key: Uint8Array, value: Uint8Array): void {
    this.delete(key);
    this.#entries = [...this.#entries, [key, value] as const].sort(([a], [b]) => compareBytes(a, b));
  }
  delete(key: Uint8Array): void {
    this.#entries = this.#entries.filter(([other]) => compareBytes(other, key) !== 0);
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Iterable<readonly [Uint8Array, Uint8Array]> {
    for (const entry of this.#entries)
      if (compareBytes(entry[0], from) >= 0 && (to === undefined || compareBytes(entry[0], to) < 0)) yield entry;
  }
}

const service = defineService({
  increment: operation([text, integer], ({ state }, name, by) => {
    const sum = (state.get<number>(name) ?? 0) + by;
    state.set(name, sum);
    return sum;
  }),
  rename: operation([text, optional(text)], ({ state }, from, to) => {
    const value = state.get(from);
    if (value === undefined) throw new Refusal(`there is no ${from}`);
    state.delete(from);
    if (to !== undefined) state.set(to, value);
  }),
  list: operation([text], ({ state }, prefix) =>
    [...state.entries<number>(prefix)].map(([key, value]) => ({ key, value })),
  ),
  whoAmI: operation([], ({ context }) => ({ client: context.client, at: context.timestampMs })),
  take: operation(
    [record({ a: finite, b: optional(listOf(bigint)) }), oneOf("x", "y"), boolean, bytes, anything],
    (_, { a, b }, letter) => `${a} ${b?.length} ${letter}`,
  ),
  later: operation([], () => Promise.resolve(1) as unknown as number),
});

function run(state: StateStore, name: string, ...values: readonly ServiceValue[]): ServiceValue {
  return decodeValue(service.execute(encodeCall(name, values), state, CONTEXT));
}

describe("a service of typed operations", () => {
  it("keeps values under texts, and gives results", () => {
    const state = new ListState();
    expect(run(state, "increment", "visits/é", 5)).to.equal(5);
    expect(run(state, "increment", "visits/é", -7)).to.equal(-2);
    expect(run(state, "increment", "visits", 1)).to.equal(1);
    expect(run(state, "list", "visits/")).to.deep.equal([{ key: "visits/é", value: -2 }]);
    expect(run(state, "list", "")).to.have.length(2);
    expect(run(state, "rename", "visits", "views")).to.equal(undefined);
    expect(run(state, "rename", "views")).to.equal(undefined);
    expect(run(state, "list", "")).to.deep.equal([{ key: "visits/é", value: -2 }]);
  });

  it("knows who asks, and the agreed time", () => {
    expect(run(new ListState(), "whoAmI")).to.deep.equal({ client: "a".repeat(64), at: 1_000 });
  });

  it("refuses in its own words", () => {
    expect(() => run(new ListState(), "rename", "a", "b")).to.throw(Refusal, "there is no a");
  });

  const malformed: readonly (readonly [string, readonly [ServiceValue, ...ServiceValue[]], string])[] = [
    [
      "a name of nothing",
      ["decrement", "a"],
      'expected one of the operations increment, rename, list, whoAmI, take, later; got "decrement"',
    ],
    ["a name of what every object has", ["toString"], "expected one of the operations"],
    ["a name that is no text", [1], "expected one of the operations"],
    ["an argument of another type", ["increment", "a", "5"], 'argument 2 of increment is "5", expected a whole number'],
    ["a number that is not whole", ["increment", "a", 0.5], "argument 2 of increment is 0.5, expected a whole number"],
    [
      "an argument that is missing",
      ["increment", "a"],
      'argument 2 of increment is {"$":"undefined"}, expected a whole number',
    ],
    ["an argument too many", ["increment", "a", 1, 2], "increment takes 2 arguments, got 3"],
    [
      "a property too many",
      ["take", { a: 1, c: 1 }, "x", true, new Uint8Array(), 1],
      "expected an object { a: a number, b: a list, each a bigint or nothing }",
    ],
    ["a property of another type", ["take", { a: 1, b: [1] }, "x", true, new Uint8Array(), 1], "argument 1 of take"],
    ["a list for an object", ["take", [1], "x", true, new Uint8Array(), 1], "argument 1 of take"],
    [
      "another text",
      ["take", { a: 1 }, "z", true, new Uint8Array(), 1],
      'argument 2 of take is "z", expected "x" or "y"',
    ],
    ["no bytes", ["take", { a: 1 }, "x", true, "00", 1], "expected a Uint8Array"],
  ];
  for (const [what, [name, ...values], message] of malformed)
    it(`refuses ${what}`, () => {
      const state = new ListState();
      expect(() => service.execute(encodeValue([name, ...values]), state, CONTEXT)).to.throw(Refusal, message);
      expect([...state.range(new Uint8Array(), undefined)]).to.deep.equal([]);
    });

  it("refuses bytes that are no call", () => {
    for (const operation of [
      new Uint8Array([0xff]),
      encodeValue({ name: "increment" }),
      new TextEncoder().encode("[ 1 ]"),
    ])
      expect(() => service.execute(operation, new ListState(), CONTEXT)).to.throw(/expected/);
  });

  it("takes what its parameters say", () => {
    expect(
      run(new ListState(), "take", { a: 1.5, b: [1n, 2n] }, "y", false, new Uint8Array([1]), { deep: [null] }),
    ).to.equal("1.5 2 y");
  });

  it("gives no promise as a result", () => {
    expect(() => run(new ListState(), "later")).to.throw(ServiceValueError, /an object of a class/);
  });

  it("has no operation by which it would be taken for a promise", () => {
    const taken = "then";
    expect(() => defineService({ [taken]: operation([], () => 1) })).to.throw(TypeError, /named `then`/);
  });

  it("types its calls", () => {
    const check = async (calls: ServiceCalls<typeof service>): Promise<void> => {
      const sum: number = await calls.increment("a", 1);
      const nothing: Awaited<ReturnType<typeof calls.rename>> = await calls.rename("a");
      const list: readonly { readonly key: string; readonly value: number }[] = await calls.list("");
      // @ts-expect-error a text is no number
      await calls.increment("a", "1");
      // @ts-expect-error there is no such operation
      await calls.decrement("a");
      // @ts-expect-error the result is a number
      const wrong: string = await calls.increment("a", 1);
      void [sum, nothing, list, wrong];
    };
    expect(check).to.be.a("function");
  });
});
