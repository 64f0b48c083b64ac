import { once } from "node:events";
import { createServer, get, type IncomingMessage, type Server } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { expect } from "chai";
import { type BackupFault, isTooSlow, streamBackup } from "../dist/backup/stream-backup.js";
import { seqOf } from "./builders.ts";

const PART = new Uint8Array(64 * 1024).fill(7);

describe("a backup that is streamed", () => {
  let server: Server;
  let ended: Promise<void>;
  let closed = 0;
  let faults: (BackupFault | undefined)[] = [];
  let taken = 0;
  /** Called as each part is read. */
  let onTaken: () => void;

  /** Serves so many parts, and throws behind them if told to. */
  async function asked(parts: number, throws = false, part = PART): Promise<IncomingMessage> {
    [closed, taken, faults] = [0, 0, []];
    server = createServer((_request, response) => {
      ended = streamBackup(
        {
          checkpoint: seqOf(8),
          next: () => {
            if (taken < parts) {
              taken++;
              onTaken();
              return part;
            }
            if (throws) throw new Error("the replica has stopped");
            return undefined;
          },
          close: () => {
            closed++;
          },
        },
        response,
        (fault) => {
          const isGone = fault?.reason.includes("gone") ?? false;
          if (fault !== undefined)
            expect(response.destroyed, "told before the reader can notice, unless it is gone").to.equal(isGone);
          else expect(response.writableFinished, "all of it is given").to.equal(true);
          faults.push(fault);
        },
      );
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    const request = get({ port: typeof address === "object" ? address?.port : 0, agent: false });
    request.on("error", () => undefined);
    const [message] = (await once(request, "response")) as [IncomingMessage];
    return message;
  }

  /** How many parts were read in each turn of the event loop in which any was. */
  async function turnsOf(reading: Promise<IncomingMessage>, work: () => void = () => undefined): Promise<number[]> {
    const turns = [0];
    onTaken = () => {
      turns.push((turns.pop() ?? 0) + 1);
      work();
    };
    let next = setImmediate(function turn() {
      if (turns.at(-1) !== 0) turns.push(0);
      next = setImmediate(turn);
    });
    for await (const _ of await reading);
    await ended;
    clearImmediate(next);
    return turns.filter((parts) => parts > 0);
  }

  beforeEach(() => {
    onTaken = () => undefined;
  });
  afterEach(() => {
    server.close();
    server.closeAllConnections();
  });

  it("comes whole, and lets go of its checkpoint", async () => {
    let bytes = 0;
    for await (const chunk of await asked(40)) bytes += (chunk as Uint8Array).length;
    await ended;

    expect([bytes, closed, faults]).to.deep.equal([40 * PART.length, 1, [undefined]]);
  });

  it("is cut short when the replica cannot go on, so that nobody takes it for whole", async () => {
    const message = await asked(3, true);
    let failure: unknown;
    try {
      for await (const _ of message);
    } catch (error) {
      failure = error;
    }
    await ended;

    expect(failure).to.be.an.instanceOf(Error);
    expect(closed).to.equal(1);
    expect(faults.map((fault) => [fault?.checkpoint, fault?.reason])).to.deep.equal([[8, "the replica has stopped"]]);
  });

  it("is read a slice at a time: no turn of the event loop waits for more than 128 KiB of it", async () => {
    const turns = await turnsOf(asked(200));

    expect(turns.reduce((sum, parts) => sum + parts)).to.equal(200);
    expect(Math.max(...turns)).to.equal(2);
  });

  it("is read one slice in a turn of the event loop, however late its timers are", async () => {
    const spin = (ms: number): void => {
      const untilMs = performance.now() + ms;
      while (performance.now() < untilMs);
    };
    /** As on a machine that is short of CPU: the rest is over when it has begun, and the event loop knows it. */
    const beLate = (): void => {
      spin(4);
      clearTimeout(setTimeout(() => undefined, 1_000));
    };
    const turns = await turnsOf(asked(60, false, Uint8Array.of(1)), () => {
      spin(0.8);
      queueMicrotask(beLate);
    });

    expect(turns.reduce((sum, parts) => sum + parts)).to.equal(60);
    expect(Math.max(...turns)).to.be.at.most(3);
  });

  it("is read for 2 ms at a time, and then not for twice as long", async () => {
    let busyMs = 0;
    const startedMs = performance.now();
    const turns = await turnsOf(asked(100, false, Uint8Array.of(1)), () => {
      const beganMs = performance.now();
      while (performance.now() - beganMs < 0.7);
      busyMs += performance.now() - beganMs;
    });

    expect(Math.max(...turns)).to.be.at.most(3);
    // A timer of 4 ms may be up to one early.
    expect(performance.now() - startedMs).to.be.at.least(2 * busyMs);
  });

  it("is given up for a reader that takes little for long, for its checkpoint is kept meanwhile", () => {
    expect(isTooSlow(0, 59_000)).to.equal(false);
    expect(isTooSlow(60 * 128 * 1024 - 1, 60_001)).to.equal(true);
    expect(isTooSlow(61 * 128 * 1024, 60_001)).to.equal(false);
  });

  it("is read no faster than it is taken, and not at all for a reader that is gone", async () => {
    const message = await asked(1_000_000);
    await once(message, "readable");
    // Until it waits for the reader, which takes nothing.
    for (let before = -1; before !== taken; await delay(200)) before = taken;
    expect(taken).to.be.lessThan(1_000);

    message.destroy();
    await ended;

    expect(closed).to.equal(1);
    expect(taken).to.be.lessThan(1_000);
    const { bytes = 0, reason = "" } = faults[0] ?? {};
    expect([faults.length, reason]).to.deep.equal([1, "its reader is gone"]);
    expect(bytes).to.be.within(1, taken * PART.length);
  });
});
