import { bytesToCheckpointNumber, checkpointSpacing, type DigestedRequest } from "@quorate/protocol";
import type { Execution } from "@quorate/state-machine";
import { expect } from "chai";
import fc from "fast-check";
import { ADMIN, Fixture } from "./cluster.ts";

const MEMBER = 2;
const STRANGER = 77;

/** What each request of a batch ended as: `ok 6`. */
function endsOf({ replies }: Execution): string[] {
  return replies.map(({ reply }) => {
    const [result] = reply.results;
    const number = bytesToCheckpointNumber(result!.value);
    return number === undefined ? result!.status : `${result!.status} ${number}`;
  });
}

/** A replica at `executed` whose last checkpoint is at `last`, with K = 16: one is possible from 4 numbers above it on. */
function fixtureAt(executed: number, last = 0): Fixture {
  const fixture = new Fixture();
  if (last % 16 !== 0) {
    fixture.idleTo(last - 1);
    expect(fixture.run(fixture.order(ADMIN, last - 1)).checkpoint?.seq).to.equal(last);
  }
  fixture.idleTo(executed);
  expect(fixture.executor.lastCheckpoint.seq).to.equal(last);
  return fixture;
}

describe("a checkpoint that is ordered (protocol rule 9.1)", () => {
  for (const { at, last, above, by = ADMIN, epoch = 0, end } of [
    { at: 6, last: 0, above: 5, end: "ok 6" },
    { at: 6, last: 0, above: 0, end: "ok 6" },
    { at: 6, last: 0, above: 5, by: MEMBER, end: "ok 6" },
    { at: 6, last: 0, above: 5, by: STRANGER, end: "checkpoint-not-permitted" },
    { at: 6, last: 0, above: 5, epoch: 1, end: "checkpoint-not-permitted" },
    { at: 6, last: 0, above: 6, end: "checkpoint-too-far" },
    { at: 6, last: 0, above: 2 ** 53 - 1, end: "checkpoint-too-far" },
    { at: 4, last: 0, above: 3, end: "ok 4" },
    { at: 3, last: 0, above: 2, end: "checkpoint-too-soon 0" },
    { at: 9, last: 6, above: 8, end: "checkpoint-too-soon 6" },
    { at: 10, last: 6, above: 9, end: "ok 10" },
    { at: 10, last: 6, above: 6, end: "ok 10" },
    { at: 10, last: 6, above: 5, end: "checkpoint-superseded 6" },
    { at: 20, last: 16, above: 15, end: "checkpoint-superseded 16" },
    { at: 20, last: 16, above: 16, end: "ok 20" },
    { at: 16, last: 14, above: 15, end: "checkpoint-too-soon 14" },
    { at: 16, last: 6, above: 15, end: "ok 16" },
  ])
    it(`above ${above}, by ${by}, in epoch ${epoch}, is ${end} at ${at} after the last one at ${last}`, () => {
      const fixture = fixtureAt(at - 1, last);

      const execution = fixture.run(fixture.order(by, above, epoch));

      const isCheckpoint = end.startsWith("ok") || at % 16 === 0;
      expect(endsOf(execution)).to.deep.equal([end]);
      expect(execution.checkpoint?.seq).to.equal(isCheckpoint ? at : undefined);
      expect(execution.progress.lastCheckpoint).to.equal(isCheckpoint ? at : last);
      expect(fixture.executor.lastCheckpoint.seq).to.equal(isCheckpoint ? at : last);
    });

  it("multiples of K are checkpoints without a word, and other numbers are none", () => {
    const fixture = new Fixture();
    const numbers = Array.from({ length: 40 }, (_, i) => i + 1);

    const checkpoints = numbers.filter(() => fixture.run().checkpoint !== undefined);

    expect(checkpoints).to.deep.equal([16, 32]);
  });

  it("all that may, and are in one batch, order the same checkpoint", () => {
    const fixture = fixtureAt(7);
    const orders = [fixture.order(ADMIN, 7), fixture.order(MEMBER, 3), fixture.order(STRANGER, 7)];

    const execution = fixture.run(...orders, orders[0]!);

    expect(endsOf(execution)).to.deep.equal(["ok 8", "ok 8", "checkpoint-not-permitted"]);
    expect(execution.replies.map(({ reply }) => [reply.number, /^0+$/.test(reply.session)])).to.deep.equal([
      [0, true],
      [0, true],
      [0, true],
    ]);
  });

  it("is one after a restart, too, and the order is known to be answered", () => {
    const fixture = fixtureAt(5);
    const order = fixture.order(ADMIN, 5);
    fixture.run(order);
    const { lastCheckpoint } = fixture.executor;

    fixture.restart();

    expect(fixture.executor.lastCheckpoint).to.deep.equal(lastCheckpoint);
    expect([lastCheckpoint.seq, fixture.executor.stateRoot()]).to.deep.equal([6, lastCheckpoint.stateRoot]);
    expect(fixture.executor.standing(order)).to.deep.equal({ type: "answered" });
    expect(fixture.executor.replyTo(order)?.results[0]?.status).to.equal("ok");
    expect(endsOf(fixture.run(fixture.order(ADMIN, 6)))).to.deep.equal(["checkpoint-too-soon 6"]);
  });

  for (const { executed, last, above, by = ADMIN, standing } of [
    { executed: 5, last: 0, above: 5, standing: "executable" },
    { executed: 5, last: 0, above: 0, by: MEMBER, standing: "executable" },
    { executed: 5, last: 0, above: 5, by: STRANGER, standing: "refusable" },
    { executed: 5, last: 0, above: 6, standing: "refusable" },
    { executed: 2, last: 0, above: 2, standing: "refusable" },
    { executed: 3, last: 0, above: 2, standing: "executable" },
    { executed: 9, last: 6, above: 5, by: MEMBER, standing: "refusable" },
    { executed: 9, last: 6, above: 6, standing: "executable" },
  ])
    it(`above ${above}, by ${by}, stands as ${standing} at ${executed} after the last one at ${last}`, () => {
      const fixture = fixtureAt(executed, last);

      expect(fixture.executor.standing(fixture.order(by, above)).type).to.equal(standing);
    });

  it("whose answer is gone would only be refused", () => {
    const fixture = fixtureAt(5);
    const order = fixture.order(ADMIN, 5);
    fixture.run(order);
    fixture.executor.collect(fixture.executor.executed, fixture.executor.executed);
    fixture.idleTo(12);

    expect(fixture.executor.standing(order)).to.deep.equal({ type: "refusable" });
    expect(endsOf(fixture.run(order))).to.deep.equal(["checkpoint-superseded 6"]);
  });

  for (const checkpointInterval of [1, 2, 3, 4, 5, 8, 16])
    it(`is brought about once by each order and never too soon, whatever is repeated, with K = ${checkpointInterval}`, () => {
      const spacing = checkpointSpacing({ checkpointInterval });
      expect(spacing * 4 >= checkpointInterval && (spacing - 1) * 4 < checkpointInterval).to.equal(true);
      const orders = fc.record({ by: fc.constantFrom(ADMIN, 0, 1, STRANGER), above: fc.nat(40), again: fc.nat(200) });
      const batches = fc.array(fc.array(orders, { maxLength: 3 }), { minLength: 1, maxLength: 30 });
      fc.assert(
        fc.property(batches, (history) => {
          const run = new WatchedRun(checkpointInterval);
          for (const batch of history) run.execute(batch);
        }),
        { numRuns: 60 },
      );
    });
});

interface DrawnOrder {
  readonly by: number;
  readonly above: number;
  readonly again: number;
}

/** A replica that is held to the rule, batch after batch. */
class WatchedRun {
  readonly #interval: number;
  readonly #fixture: Fixture;
  readonly #sent: DigestedRequest[] = [];
  /** Where each order brought a checkpoint about. */
  readonly #made = new Map<string, number>();
  #last = 0;

  constructor(checkpointInterval: number) {
    this.#interval = checkpointInterval;
    this.#fixture = new Fixture({ checkpointInterval });
  }

  execute(orders: readonly DrawnOrder[]): void {
    const execution = this.#fixture.run(...orders.map((order) => this.#request(order)));
    const { seq, checkpoint, progress } = execution;
    const isCheckpoint = checkpoint !== undefined;
    for (const { reply } of execution.replies)
      if (reply.results[0]?.status === "ok") this.#onMade(reply.requestDigest, seq, reply.results[0].value);
    const isOrdered = [...this.#made.values()].includes(seq);
    expect(isCheckpoint).to.equal(isOrdered || seq % this.#interval === 0);
    if (isCheckpoint) this.#last = seq;
    expect(progress.lastCheckpoint).to.equal(this.#last);
  }

  /** Every other one is a repeat of any that was ever sent. */
  #request({ by, above, again }: DrawnOrder): DigestedRequest {
    const earlier = again % 2 === 0 ? this.#sent[again % (this.#sent.length + 1)] : undefined;
    const request = earlier ?? this.#fixture.order(by, above);
    this.#sent.push(request);
    return request;
  }

  #onMade(order: string, seq: number, value: Uint8Array): void {
    expect(this.#made.has(order), "one order, one checkpoint").to.equal(false);
    expect(seq - this.#last).to.be.at.least(checkpointSpacing({ checkpointInterval: this.#interval }));
    expect(bytesToCheckpointNumber(value)).to.equal(seq);
    this.#made.set(order, seq);
  }
}
