import type { CallOutcome, ClientEvent, ClientFailure } from "@quorate/client-proxy";
import { expect } from "chai";
import {
  CancelledError,
  ClosedError,
  DivergentRepliesError,
  NoQuorumError,
  NotServedError,
  OperationTooLargeError,
  OverloadedError,
  QuorateError,
  type RetryableError,
  SessionEvictedError,
} from "quorate";
import { readAs } from "../dist/errors.js";
import { OperationCalls, type OperationOutcome } from "../dist/operation-calls.js";

const OPERATION = Uint8Array.of(42);
const NO_QUORUM = { code: "client.no-quorum", effect: "unknown", message: "m", replies: [], refusals: [] } as const;
const NEVER_SENT = { ...NO_QUORUM, effect: "none" } as const;

/** The calls over a core that the test plays. */
class Rig {
  readonly steps: (readonly ClientEvent[])[] = [];
  readonly calls = new OperationCalls({
    step: (events) => this.steps.push(events),
    nowMs: () => 7,
    receiptOf: () => {
      throw new Error("none has a receipt");
    },
    explain: ({ message }) => `explained: ${message}`,
  });

  /** What the core was given since the last look, without times. */
  takeEvents(): readonly object[] {
    this.calls.flush();
    return this.steps.splice(0).flatMap((events) => events.map(({ atMs: _atMs, ...event }) => event));
  }
  fail(call: number, failure: ClientFailure): void {
    this.calls.onSettled(call, { type: "failed", failure });
  }
  succeed(call: number, byte: number): void {
    this.calls.onSettled(call, resultOf(byte));
  }
}

function resultOf(byte: number): Extract<CallOutcome, { type: "result" }> {
  const result = { status: "ok", value: Uint8Array.of(byte) } as const;
  return { type: "result", result, seq: undefined, receipt: undefined, index: 0 };
}

async function errorOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(
    (outcome) => Promise.reject(new Error(`it has a result: ${JSON.stringify(outcome)}`)),
    (error: unknown) => error,
  );
}
/** Its call has failed so. */
async function failed<E = NoQuorumError<OperationOutcome>>(rig: Rig, failure: ClientFailure): Promise<E> {
  const call = rig.calls.execute(OPERATION, {});
  rig.takeEvents();
  rig.fail(0, failure);
  return (await errorOf(call)) as E;
}

describe("The calls of a client", () => {
  it("made in one turn are one step of its core, with copies of their bytes", async () => {
    const rig = new Rig();
    const bytes = Uint8Array.of(1);
    const first = rig.calls.execute(bytes, {});
    const second = rig.calls.execute(Uint8Array.of(2), { timeoutMs: 50 });
    bytes[0] = 9;
    await Promise.resolve();

    expect(rig.steps).to.have.length(1);
    expect(rig.takeEvents()).to.deep.equal([
      { type: "submit", call: 0, operation: Uint8Array.of(1) },
      { type: "submit", call: 1, operation: Uint8Array.of(2), timeoutMs: 50 },
    ]);
    rig.succeed(1, 2);
    rig.succeed(0, 1);
    expect((await first).result.value).to.deep.equal(Uint8Array.of(1));
    expect((await second).result.value).to.deep.equal(Uint8Array.of(2));
  });

  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY])
    it(`are refused with a timeout of ${timeoutMs}`, async () => {
      const rig = new Rig();
      expect(await errorOf(rig.calls.execute(OPERATION, { timeoutMs }))).to.be.instanceOf(RangeError);
      expect(rig.takeEvents()).to.be.empty;
    });

  const KINDS = [
    [NO_QUORUM, NoQuorumError],
    [{ code: "client.divergent", effect: "unknown", message: "m", replies: [] }, DivergentRepliesError],
    [{ code: "client.cancelled", effect: "unknown", message: "m" }, CancelledError],
    [{ code: "client.overloaded", effect: "none", message: "m" }, OverloadedError],
    [
      { code: "client.session-evicted", effect: "unknown", message: "m", reason: "session-unknown" },
      SessionEvictedError,
    ],
    [{ code: "client.closed", effect: "none", message: "m" }, ClosedError],
    [{ code: "client.not-admitted", effect: "none", message: "m" }, NotServedError],
    [{ code: "client.wrong-cluster", effect: "none", message: "m" }, NotServedError],
    [
      { code: "client.operation-too-large", effect: "none", message: "m", bytes: 2, bytesMax: 1 },
      OperationTooLargeError,
    ],
    [{ code: "client.forgotten", effect: "unknown", message: "m" }, QuorateError],
  ] as const;
  for (const [failure, kind] of KINDS)
    it(`fail as ${failure.code} with a ${kind.name}`, async () => {
      const error = await failed<QuorateError>(new Rig(), failure);

      expect(Object.getPrototypeOf(error)).to.equal(kind.prototype);
      expect(error).to.include({ code: failure.code, effect: failure.effect, name: kind.name });
      expect(error.message).to.equal("explained: m");
      if (failure.code === "client.operation-too-large") expect(error).to.include({ bytes: 2, bytesMax: 1 });
      if (failure.code === "client.session-evicted") expect(error).to.include({ reason: "session-unknown" });
    });

  it("of unknown effect are retried as the same call, and every later retry gives the result that came", async () => {
    const rig = new Rig();
    const error = await failed(rig, NO_QUORUM);

    const retry = error.retry({ timeoutMs: 9 });
    expect(rig.takeEvents()).to.deep.equal([{ type: "retry", call: 0, timeoutMs: 9 }]);
    expect(await errorOf(error.retry()), "while one waits").to.include({ code: "client.retry-pending" });
    rig.succeed(0, 5);

    expect((await retry).result.value).to.deep.equal(Uint8Array.of(5));
    expect(await error.retry()).to.equal(await retry);
    expect(rig.takeEvents()).to.be.empty;
  });

  it("that fail again may be retried by either error", async () => {
    const rig = new Rig();
    const first = await failed(rig, NO_QUORUM);
    const again = errorOf(first.retry());
    rig.takeEvents();
    rig.fail(0, NO_QUORUM);
    const second = await again;
    expect(second).to.be.instanceOf(NoQuorumError).and.not.equal(first);

    const retry = first.retry();
    expect(rig.takeEvents()).to.deep.equal([{ type: "retry", call: 0 }]);
    rig.succeed(0, 5);

    expect(await (second as NoQuorumError).retry()).to.equal(await retry);
  });

  it("that had no effect for certain are submitted by a retry, once", async () => {
    const rig = new Rig();
    const error = await failed(rig, NEVER_SENT);

    const retry = error.retry();
    expect(rig.takeEvents()).to.deep.equal([{ type: "submit", call: 0, operation: OPERATION }]);
    rig.fail(0, NO_QUORUM);
    const second = (await errorOf(retry)) as NoQuorumError;

    for (const known of [error, second]) {
      const later = errorOf(known.retry());
      expect(rig.takeEvents(), "it may have run").to.deep.equal([{ type: "retry", call: 0 }]);
      rig.fail(0, NO_QUORUM);
      await later;
    }
  });

  it("end when their signal is aborted, with its reason, also before the core has them", async () => {
    const rig = new Rig();
    const [submitted, sent] = [new AbortController(), new AbortController()];
    const early = errorOf(rig.calls.execute(OPERATION, { signal: submitted.signal }));
    submitted.abort("too early");
    expect(rig.takeEvents()).to.deep.equal([
      { type: "submit", call: 0, operation: OPERATION },
      { type: "cancel", call: 0 },
    ]);
    rig.fail(0, { code: "client.cancelled", effect: "none", message: "m" });
    const late = errorOf(rig.calls.execute(OPERATION, { signal: sent.signal }));
    rig.takeEvents();
    sent.abort("too late");
    expect(rig.takeEvents()).to.deep.equal([{ type: "cancel", call: 1 }]);
    rig.fail(1, { code: "client.cancelled", effect: "unknown", message: "m" });

    expect(await early)
      .to.be.instanceOf(CancelledError)
      .and.to.include({ cause: "too early", effect: "none" });
    expect(await late)
      .to.be.instanceOf(CancelledError)
      .and.to.include({ cause: "too late", effect: "unknown" });
  });

  it("are not made under a signal that is aborted, and forget a signal when they end", async () => {
    const rig = new Rig();
    const controller = new AbortController();
    const call = rig.calls.execute(OPERATION, { signal: controller.signal });
    rig.takeEvents();
    rig.succeed(0, 1);
    await call;
    controller.abort("over");
    expect(rig.takeEvents(), "nothing to cancel").to.be.empty;

    const refused = await errorOf(rig.calls.execute(OPERATION, { signal: controller.signal }));
    expect(refused).to.be.instanceOf(CancelledError).and.to.include({ cause: "over", effect: "none" });
    expect(rig.takeEvents()).to.be.empty;
  });

  it("stay of unknown effect when a retry is cancelled before it is made", async () => {
    const rig = new Rig();
    const error = await failed(rig, NO_QUORUM);

    const refused = await errorOf(error.retry({ signal: AbortSignal.abort() }));

    expect(refused).to.be.instanceOf(CancelledError).and.to.include({ effect: "unknown" });
    errorOf((refused as CancelledError).retry()).catch(() => undefined);
    expect(rig.takeEvents()).to.deep.equal([{ type: "retry", call: 0 }]);
  });

  it("read as something else are so after each retry", async () => {
    const rig = new Rig();
    const call = readAs(rig.calls.execute(OPERATION, {}), ({ result }) => result.value[0]);
    rig.takeEvents();
    rig.fail(0, NO_QUORUM);
    const error = (await errorOf(call)) as RetryableError<number>;
    expect(error).to.be.instanceOf(NoQuorumError);
    const again = errorOf(error.retry());
    rig.fail(0, NO_QUORUM);

    const retry = ((await again) as RetryableError<number>).retry();
    rig.succeed(0, 5);

    expect(await retry).to.equal(5);
  });
});
