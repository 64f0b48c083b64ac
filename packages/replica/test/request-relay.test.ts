import { type Effect, type Request, replicaId } from "@quorate/protocol";
import { expect } from "chai";
import { RequestRelay } from "../dist/request-relay.js";
import { requestOf } from "./builders.ts";

const a = requestOf("a").request;
const b = requestOf("b").request;

interface Stand {
  readonly self?: number;
  readonly isPrimary?: boolean;
  readonly isSettled?: boolean;
  readonly isMute?: boolean;
}

/** A replica of a view whose primary is 0, and where two requests wait, of which `a` has its turn since 100. */
function relayOf({ self = 1, isPrimary = self === 0, isSettled = true, isMute = false }: Stand = {}): RequestRelay {
  const ordering = {
    primary: replicaId(0),
    isPrimary,
    waitingSince: (atMs: number): Request[] => (atMs >= 100 ? [a] : []),
    pendingRequests: (): Iterable<Request> => [a, b],
  };
  return new RequestRelay(replicaId(self), { ordering, viewChanging: { isSettled } }, { isMute });
}
function sent(relayed: (out: Effect[]) => void): unknown[] {
  const out: Effect[] = [];
  relayed(out);
  return out;
}
const toPrimary = (request: Request) => ({ type: "send", to: 0, frame: { type: "request", request } });

describe("RequestRelay (protocol rule 7.4)", () => {
  it("a backup passes a request on to the primary of its view", () => {
    expect(sent((out) => relayOf().passOn(a, out))).to.deep.equal([toPrimary(a)]);
  });

  for (const [who, stand] of [
    ["the primary", { self: 0 }],
    ["who is between two views", { isSettled: false }],
    ["who is mute", { isMute: true }],
  ] as const)
    it(`${who} passes on nothing, to nobody`, () => {
      const relay = relayOf(stand);
      expect(sent((out) => relay.passOn(a, out))).to.deep.equal([]);
      expect(sent((out) => relay.passOnAgain(100, out))).to.deep.equal([]);
      expect(sent((out) => relay.passOnAll(out))).to.deep.equal([]);
    });

  it("passes on again what has waited since then, and no more", () => {
    expect(sent((out) => relayOf().passOnAgain(100, out))).to.deep.equal([toPrimary(a)]);
    expect(sent((out) => relayOf().passOnAgain(99, out))).to.deep.equal([]);
  });

  it("passes on all that waits to a new primary, whether its turn has come or not", () => {
    expect(sent((out) => relayOf().passOnAll(out))).to.deep.equal([toPrimary(a), toPrimary(b)]);
  });
});
