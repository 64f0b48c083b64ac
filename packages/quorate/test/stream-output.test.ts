import { Writable } from "node:stream";
import { expect } from "chai";
import { StreamOutput } from "../dist/cli/stream-output.js";

/** Holds one line at a time until it is taken. */
class SlowReader extends Writable {
  readonly lines: string[] = [];
  #taken: ((error?: Error | null) => void) | undefined;

  constructor() {
    super({ highWaterMark: 1, decodeStrings: false });
  }

  override _write(chunk: string, _encoding: string, done: (error?: Error | null) => void): void {
    this.lines.push(chunk);
    this.#taken = done;
  }

  take(error?: Error): void {
    this.#taken?.(error);
  }
}

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  let isSettled = false;
  promise.then(
    () => {
      isSettled = true;
    },
    () => undefined,
  );
  await new Promise((resolve) => setImmediate(resolve));
  return isSettled;
};

describe("StreamOutput", () => {
  it("waits until the reader has taken a line", async () => {
    const reader = new SlowReader();
    const written = new StreamOutput(reader).line("first");

    expect(await settled(written)).to.equal(false);
    reader.take();
    expect(await settled(written)).to.equal(true);
    expect(reader.lines).to.deep.equal(["first\n"]);
  });

  it("says that the reader has gone, and writes no more", async () => {
    const reader = new SlowReader();
    const output = new StreamOutput(reader);
    const written = output.line("first");

    reader.take(Object.assign(new Error("write EPIPE"), { code: "EPIPE" }));
    await written;
    await output.line("second");

    expect([output.isClosed, reader.lines]).to.deep.equal([true, ["first\n"]]);
  });
});
