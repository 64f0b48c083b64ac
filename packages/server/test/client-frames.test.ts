import { replicaId, requestNumber, sessionId, viewNumber } from "@quorate/protocol";
import type { ExecutedReply } from "@quorate/state-machine";
import { expect } from "chai";
import { refusalFrame, replyFrame } from "../dist/client-frames.js";
import { digestOf, epoch, requestOf, seqOf } from "./builders.ts";

const { request, digest } = requestOf("asked");
const executed: ExecutedReply = {
  from: replicaId(2),
  statement: { epoch, seq: seqOf(7), historyDigest: digestOf("history"), outputsRoot: digestOf("outputs") },
  signature: Uint8Array.of(1, 2, 3),
  session: sessionId(digestOf("session")),
  number: requestNumber(4),
  requestDigest: digest,
  results: [],
  path: { index: 0, size: 1, siblings: [] },
};

describe("What a client is told", () => {
  it("is all of what was executed, as it was signed, and the view that the replica is in", () => {
    expect(replyFrame(executed, viewNumber(3))).to.deep.equal({ type: "reply", reply: { ...executed, view: 3 } });
  });

  it("is nothing beside it: what a replica keeps with a reply is its own", () => {
    const kept = { ...executed, keptSince: 12 };

    expect(replyFrame(kept, viewNumber(0))).to.deep.equal({ type: "reply", reply: { ...executed, view: 0 } });
  });

  it("is, of a request that is refused, its digest and why; whose it was the link knows", () => {
    const refused = { type: "refuse", client: request.client, requestDigest: digest, code: "overloaded" } as const;

    expect(refusalFrame(refused)).to.deep.equal({ type: "refused", requestDigest: digest, code: "overloaded" });
  });
});
