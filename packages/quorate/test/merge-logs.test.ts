import type { LoggedNumber, NumberRange } from "@quorate/server";
import { expect } from "chai";
import type { ReplicaLog } from "../dist/cli/log-source.js";
import { mergeLogs } from "../dist/cli/merge-logs.js";

const ALL: NumberRange = { from: 0, to: 99 };

function committed(seq: number, digest = `batch ${seq}`): LoggedNumber {
  return { type: "committed", seq, entry: { batch: { digest } } } as unknown as LoggedNumber;
}
function prepared(seq: number): LoggedNumber {
  return { type: "prepared", seq, batch: { digest: `batch ${seq}` } } as unknown as LoggedNumber;
}
function problem(seq: number | undefined): LoggedNumber {
  return { type: "problem", seq, problem: "it is damaged" } as LoggedNumber;
}

/** A log that says how far it was read, and that it was let go of. */
class TestLog implements ReplicaLog {
  readonly replica: number;
  given = 0;
  isEnded = false;
  readonly #items: readonly LoggedNumber[];

  constructor(replica: number, items: readonly LoggedNumber[]) {
    this.replica = replica;
    this.#items = items;
  }

  async *items(): AsyncGenerator<LoggedNumber> {
    try {
      for (const item of this.#items) {
        this.given += 1;
        yield item;
      }
    } finally {
      this.isEnded = true;
    }
  }

  async close(): Promise<void> {
    this.isEnded = true;
  }
}

async function merged(...logs: readonly (readonly LoggedNumber[])[]): Promise<string[]> {
  const lines: string[] = [];
  for await (const item of mergeLogs(
    logs.map((items, id) => new TestLog(id, items)),
    ALL,
  ))
    lines.push(
      item.type === "entry"
        ? `${item.logged.seq} ${item.logged.type} at ${item.heldBy}`
        : `${item.seq ?? "-"} at ${item.replica}: ${item.problem}`,
    );
  return lines;
}

describe("mergeLogs", () => {
  it("walks logs side by side in the order of their numbers, and says who holds each", async () => {
    expect(
      await merged(
        [committed(1), committed(2), committed(3)],
        [committed(2), committed(3)],
        [committed(1), committed(2)],
      ),
    ).to.deep.equal(["1 committed at 0,2", "2 committed at 0,1,2", "3 committed at 0,1"]);
    expect(await merged([], [])).to.deep.equal([]);
  });

  it("shows what is proven somewhere, and what only prepared where nothing is", async () => {
    expect(await merged([prepared(1), prepared(2)], [committed(1), prepared(2)])).to.deep.equal([
      "1 committed at 1",
      "2 prepared at 0,1",
    ]);
  });

  it("names the replica whose log has a problem, and goes on; what belongs to no number comes last", async () => {
    expect(await merged([problem(1), committed(2), problem(undefined)], [committed(1), committed(2)])).to.deep.equal([
      "1 at 0: it is damaged",
      "1 committed at 1",
      "2 committed at 0,1",
      "- at 0: it is damaged",
    ]);
  });

  it("names a replica that holds a proof for another batch of the same number", async () => {
    const [entry, conflict, ...others] = await merged([committed(1)], [committed(1, "another")], [committed(1)]);
    expect([entry, others]).to.deep.equal(["1 committed at 0,2", []]);
    expect(conflict).to.match(/^1 at 1: it holds a certificate for another batch, another: more than f members/);
  });

  it("reads no further than it is asked, and lets go of every log", async () => {
    const logs = [0, 1].map(
      (id) =>
        new TestLog(
          id,
          [1, 2, 3, 4].map((seq) => committed(seq)),
        ),
    );
    for await (const item of mergeLogs(logs, ALL)) if (item.type === "entry" && item.logged.seq === 2) break;
    expect(logs.map(({ given, isEnded }) => [given, isEnded])).to.deep.equal([
      [2, true],
      [2, true],
    ]);
  });
});
