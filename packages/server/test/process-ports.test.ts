import { stat } from "node:fs";
import { expect } from "chai";
import { ProcessPorts } from "../dist/process-ports.js";
import type { ReplicaLinks } from "../dist/replica-links.js";

const LATE_MS = 50;

/** Blocks the event loop. */
function block(forMs: number): void {
  const until = performance.now() + forMs;
  while (performance.now() < until);
}

/** A timer is due, and something to read is there, when the loop gets to either; @returns what ran in what order. */
function lateLoop(onRead: (ports: ProcessPorts, fired: () => void) => void): Promise<readonly string[]> {
  const ports = new ProcessPorts({} as unknown as ReplicaLinks);
  const ran: string[] = [];
  return new Promise((resolve) => {
    const fired = (): void => {
      ran.push("timer");
    };
    // From here the loop goes to its timers first, and then to what is there to be read.
    setImmediate(() => {
      stat(".", () => {
        ran.push("read");
        onRead(ports, fired);
      });
      ports.startTimer("progress", 1, fired);
      block(LATE_MS);
      // By then all that was due has run.
      setTimeout(() => resolve(ran), LATE_MS);
    });
  });
}

describe("The timers of a process", () => {
  it("fire after what was there to be read before", async () => {
    expect(await lateLoop(() => undefined)).to.deep.equal(["read", "timer"]);
  });

  it("do not fire when what was read cancels them", async () => {
    expect(await lateLoop((ports) => ports.cancelTimer("progress"))).to.deep.equal(["read"]);
  });

  it("fire once when what was read starts them anew", async () => {
    expect(await lateLoop((ports, fired) => ports.startTimer("progress", 1, fired))).to.deep.equal(["read", "timer"]);
  });

  it("do not fire when they are stopped, also not when they are due", async () => {
    expect(await lateLoop((ports) => ports.stop())).to.deep.equal(["read"]);
  });
});
