import type { LoggedNumber } from "@quorate/server";
import { expect } from "chai";
import { jsonOf, LogColumns } from "../dist/cli/log-lines.js";
import type { MergedEntry } from "../dist/cli/merge-logs.js";

const digest = "ab".repeat(32);
const signature = new Uint8Array(64);
const [client, session, nonce] = ["c0", "5e", "0e"].map((byte) => byte.repeat(32));
const batch = {
  timestampMs: 1_700_000_000_000,
  requests: [
    { type: "registration", client, nonce, lastValid: 9, signature },
    { type: "checkpoint", client, epoch: 0, above: 5, signature },
    {
      type: "operations",
      client,
      session,
      number: 1,
      operations: [Uint8Array.of(1, 255), Uint8Array.of(2)],
      signature,
    },
  ],
};

function merged(logged: object, heldBy: readonly number[] = [2]): MergedEntry {
  return { type: "entry", logged: logged as Exclude<LoggedNumber, { type: "problem" }>, heldBy };
}
function committed(of: object): object {
  const signatures = [0, 1, 3].map((from) => ({ from, signature }));
  return { type: "committed", seq: 7, entry: { batch: { digest, batch: of }, certificate: { view: 2, signatures } } };
}
/** The primary of view 2 is not the first of the signers. */
const prepared = {
  type: "prepared",
  seq: 8,
  batch: { digest, batch },
  certificate: { prePrepare: { from: 2, message: { view: 2 } }, prepares: [{ from: 0 }, { from: 3 }] },
};

describe("a line of the ordered log", () => {
  it("shows a committed batch, and who signed its certificate", () => {
    const columns = new LogColumns(1);
    expect(columns.head.split(/ +/)).to.deep.equal([
      "NUMBER",
      "VIEW",
      "BATCH",
      "TIME",
      "REQUESTS",
      "OPERATIONS",
      "CERTIFICATE",
    ]);
    expect(columns.line(merged(committed(batch)))).to.match(
      /^7 +2 +(ab){8} +2023-11-14T22:13:20\.000Z +3 +2 +commit 0,1,3$/,
    );
  });

  it("says who holds it when there are several logs", () => {
    const columns = new LogColumns(4);
    expect(columns.head).to.match(/ HELD BY +CERTIFICATE$/);
    expect(columns.line(merged(committed(batch), [0, 2]))).to.match(/ 2 +0,2 +commit 0,1,3$/);
  });

  it("says of a batch that prepared only that it did, and of a null batch that it is one", () => {
    const columns = new LogColumns(1);
    expect(columns.line(merged(prepared))).to.match(/^8 +2 .* prepared only 0,2,3$/);
    expect(columns.line(merged(committed({ timestampMs: 0, requests: [] })))).to.match(/ null batch +0 +0 +commit/);
  });

  it("has a time that no date can hold as it is", () => {
    const far = { ...batch, timestampMs: Number.MAX_SAFE_INTEGER };
    expect(new LogColumns(1).line(merged(committed(far)))).to.contain(` ${Number.MAX_SAFE_INTEGER} ms `);
  });

  it("holds all of the requests for programs, without their signatures", () => {
    expect(jsonOf(merged(committed(batch)))).to.deep.equal({
      type: "entry",
      seq: 7,
      state: "committed",
      view: 2,
      digest,
      timestampMs: batch.timestampMs,
      requests: [
        { type: "registration", client, nonce, lastValid: 9 },
        { type: "checkpoint", client, epoch: 0, above: 5 },
        { type: "operations", client, session, number: 1, operations: ["01ff", "02"] },
      ],
      signedBy: [0, 1, 3],
      heldBy: [2],
    });
    expect(jsonOf(merged(prepared))).to.deep.include({ seq: 8, state: "prepared", signedBy: [0, 2, 3] });
  });
});
