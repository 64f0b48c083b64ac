import { copyBytes } from "@quorate/protocol";
import { expect } from "chai";
import { OperationFailedError, type OperationOutcome } from "quorate";
import {
  defineService,
  encodeCall,
  encodeValue,
  integer,
  operation,
  ServiceValueError,
  serviceCalls,
  text,
} from "quorate/service";

const service = defineService({ increment: operation([text, integer], (_, name, by) => name.length + by) });

/** Answers every call in one way, and notes what it was asked. */
class Answering {
  readonly asked: (readonly [Uint8Array, unknown])[] = [];
  readonly #result: OperationOutcome["result"];

  constructor(status: "ok" | "failed", value: Uint8Array) {
    this.#result = { status, value };
  }

  async execute(bytes: Uint8Array, options: unknown): Promise<OperationOutcome> {
    this.asked.push([copyBytes(bytes), options]);
    return { result: this.#result, seq: undefined, receipt: undefined, index: 0 };
  }
}

describe("the calls of a typed service", () => {
  it("are operations by their names, with the options of all", async () => {
    const client = new Answering("ok", encodeValue(6));
    const counter = serviceCalls<typeof service>(client, { timeoutMs: 5 });
    expect(await counter.increment("x", 5)).to.equal(6);
    expect(client.asked).to.deep.equal([[encodeCall("increment", ["x", 5]), { timeoutMs: 5 }]]);
  });

  it("reject with what the service said", async () => {
    const counter = serviceCalls<typeof service>(new Answering("failed", new TextEncoder().encode("too much")), {});
    const error = await counter.increment("x", 5).catch((thrown: unknown) => thrown);
    expect(error).to.be.instanceOf(OperationFailedError).and.to.have.property("message", "too much");
  });

  it("reject before anything is sent when an argument is no value", async () => {
    const client = new Answering("ok", encodeValue(6));
    const counter = serviceCalls<typeof service>(client, {});
    const error = await counter.increment("x", Number.NaN).catch((thrown: unknown) => thrown);
    expect([error instanceof ServiceValueError, client.asked]).to.deep.equal([true, []]);
  });

  it("are no promise", async () => {
    const counter = serviceCalls<typeof service>(new Answering("ok", encodeValue(6)), {});
    expect(await counter).to.equal(counter);
  });
});
