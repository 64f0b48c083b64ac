import {
  type ClientFrame,
  epochNumber,
  type PublicKey,
  type ReplicaFrame,
  replicaId,
  requestNumber,
  sessionId,
  timestampMs,
} from "@quorate/protocol";
import { expect } from "chai";
import {
  EpochBacklog,
  FRAME_BYTES_PER_PEER_MAX,
  REQUEST_BYTES_MAX,
  REQUEST_BYTES_PER_CLIENT_MAX,
  REQUEST_COST_BYTES,
} from "../dist/epoch-backlog.js";
import { clientOf, digestOf } from "./builders.ts";

const FRAMES_PER_PEER = 256;
const REQUESTS = 4_096;
const REQUESTS_PER_CLIENT = 512;
const { publicKey } = clientOf();

/** A frame that says which it is. */
const frameOf = (which: number): ReplicaFrame => ({ type: "fetch-epochs", fetch: { above: epochNumber(which) } });
const requestOf = (which: number): ClientFrame => ({ type: "fetch-epochs", fetch: { above: epochNumber(which) } });
const upTo = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

/** What the backlog gives away, by whom it is from. */
function released(backlog: EpochBacklog, onFrame: (from: number) => void = () => undefined): [string, number][] {
  const given: [string, number][] = [];
  const note = (from: string, frame: ReplicaFrame | ClientFrame): void => {
    if (frame.type === "fetch-epochs") given.push([from, frame.fetch.above]);
  };
  backlog.release({
    onReplicaFrame: (peer, frame) => {
      note(`replica ${peer}`, frame);
      onFrame(peer);
    },
    onClientFrame: (client: PublicKey, frame) => note(client === publicKey ? "client" : "another", frame),
  });
  return given;
}

describe("what comes too early for an epoch (protocol rules 11.3 and 13.1)", () => {
  it("is given away once, of each peer in the order in which it came, and requests behind that", () => {
    const backlog = new EpochBacklog();
    backlog.keepRequest(publicKey, requestOf(1));
    for (const [peer, which] of [
      [2, 1],
      [3, 7],
      [2, 2],
      [3, 8],
    ] as const)
      backlog.keepFrame(replicaId(peer), frameOf(which));
    backlog.keepRequest(publicKey, requestOf(2));

    const given = released(backlog);
    const of = (who: string): number[] => given.filter(([from]) => from === who).map(([, which]) => which);
    expect([of("replica 2"), of("replica 3"), of("client")]).to.deep.equal([
      [1, 2],
      [7, 8],
      [1, 2],
    ]);
    expect(given.slice(-2).map(([from]) => from)).to.deep.equal(["client", "client"]);
    expect(released(backlog)).to.deep.equal([]);
  });

  it("is the newest of a peer that sends too much, which takes nothing from the others", () => {
    const backlog = new EpochBacklog();
    backlog.keepFrame(replicaId(3), frameOf(0));
    for (const which of upTo(1, FRAMES_PER_PEER + 2)) backlog.keepFrame(replicaId(2), frameOf(which));
    expect(backlog.fill).to.deep.include({ size: FRAMES_PER_PEER, max: FRAMES_PER_PEER });
    expect(released(backlog)).to.deep.equal([
      ["replica 3", 0],
      ...upTo(3, FRAMES_PER_PEER + 2).map((which) => ["replica 2", which]),
    ]);
    expect(backlog.fill).to.deep.include({ size: 0 });
  });

  it("is so many bytes of a peer, the newest, which takes nothing from the others", () => {
    const backlog = new EpochBacklog();
    const long = (timestamp: number): ReplicaFrame => {
      const operations = [new Uint8Array(FRAME_BYTES_PER_PEER_MAX / 4)];
      const { request } = clientOf().signOperations({
        session: sessionId(digestOf("session")),
        number: requestNumber(1),
        operations,
      });
      return { type: "batch-body", batch: { timestampMs: timestampMs(timestamp), requests: [request] } };
    };
    backlog.keepFrame(replicaId(3), frameOf(0));
    for (const which of upTo(1, 5)) backlog.keepFrame(replicaId(2), long(which));
    const given: number[] = [];
    backlog.release({
      onReplicaFrame: (_peer, frame) => given.push(frame.type === "batch-body" ? frame.batch.timestampMs : 0),
      onClientFrame: () => undefined,
    });
    expect(given).to.deep.equal([0, 3, 4, 5]);
  });

  const nameOf = (which: number): PublicKey => `${which}`.padStart(64, "0") as PublicKey;

  it("is so many bytes of requests", () => {
    const backlog = new EpochBacklog();
    const operations = [new Uint8Array(REQUEST_BYTES_PER_CLIENT_MAX - REQUEST_COST_BYTES - 10_000)];
    const session = sessionId(digestOf("session"));
    const { request } = clientOf().signOperations({ session, number: requestNumber(1), operations });
    const count = (): number => {
      for (const which of upTo(1, 10)) backlog.keepRequest(nameOf(which), { type: "request", request });
      let given = 0;
      backlog.release({ onReplicaFrame: () => undefined, onClientFrame: () => given++ });
      return given;
    };
    const most = REQUEST_BYTES_MAX / REQUEST_BYTES_PER_CLIENT_MAX;
    expect([count(), count()], "and as many the next time").to.deep.equal([most, most]);
  });

  it("is so many requests of a client and no more: it sends the others again", () => {
    const backlog = new EpochBacklog();
    for (const which of upTo(1, REQUESTS_PER_CLIENT + 2)) backlog.keepRequest(publicKey, requestOf(which));
    expect(released(backlog)).to.deep.equal(upTo(1, REQUESTS_PER_CLIENT).map((which) => ["client", which]));
  });

  it("is a client's also where others have filled it before: whoever has most gives way", () => {
    const backlog = new EpochBacklog();
    const others = REQUESTS / REQUESTS_PER_CLIENT;
    for (const client of upTo(1, others))
      for (const which of upTo(1, REQUESTS_PER_CLIENT)) backlog.keepRequest(nameOf(client), requestOf(which));
    for (const which of [1, 2]) backlog.keepRequest(publicKey, requestOf(which));

    const given = released(backlog);

    expect(given.filter(([from]) => from === "client").map(([, which]) => which)).to.deep.equal([1, 2]);
    expect(given).to.have.length(REQUESTS);
  });

  it("stays for the next time where it is too early still", () => {
    const backlog = new EpochBacklog();
    for (const which of [1, 2]) backlog.keepFrame(replicaId(2), frameOf(which));
    let again = 2;
    released(backlog, (peer) => backlog.keepFrame(replicaId(peer), frameOf(++again)));
    expect(released(backlog)).to.deep.equal([
      ["replica 2", 3],
      ["replica 2", 4],
    ]);
  });
});
