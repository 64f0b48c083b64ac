import { type ClientFrame, epochNumber, type ServerFrame, type StateRead, sequenceNumber } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import type { PersistentLink } from "@quorate/transport/client";
import { expect } from "chai";
import type { LinkCalls } from "../dist/member-links.js";
import { type ReadLinks, StaleReads } from "../dist/stale-reads.js";

const ADDRESS = "127.0.0.1:7009";

describe("a read from somebody who is ahead (protocol rules 6.2 and 11.4)", () => {
  let reads: StaleReads | undefined;
  afterEach(() => reads?.close());

  it("asks for the links to its epoch again where the question was lost, and not more often than that", () => {
    const script = new ScriptedEpochs();
    const sent: ClientFrame[] = [];
    const frames: ServerFrame[] = [];
    let calls: LinkCalls | undefined;
    let nowMs = 1_000;
    const links = {
      memberAt: () => undefined,
      isUp: () => true,
      dial: (_address: string, given: LinkCalls) => {
        calls = given;
        return {
          send: ([place]: Uint8Array) => sent.push(outbox[place!]!),
          close: () => undefined,
        } as unknown as PersistentLink;
      },
      encode: (frame: ClientFrame) => Uint8Array.of(outbox.push(frame) - 1),
      decode: ([place]: Uint8Array) => frames[place!],
    } as unknown as ReadLinks;
    const outbox: ClientFrame[] = [];
    reads = new StaleReads({
      ...{ cluster: script.cluster, hasher: script.hasher, verifier: script.verifier, chain: script.chainAt(0) },
      ...{ choose: () => 0, nowMs: () => nowMs, links: () => links },
    });
    /** Each read is answered from an epoch that is not known; @returns how often links were asked for meanwhile. */
    const readOnce = (): number => {
      const before = sent.length;
      const query = { type: "keys", keys: [Uint8Array.of(1)] } as const;
      reads!.read({ query, from: ADDRESS }).catch(() => undefined);
      if (before === 0) calls!.onUp({ peer: { role: "replica" } as never });
      const asked = sent.findLast(({ type }) => type === "read-state") as Extract<ClientFrame, { type: "read-state" }>;
      const certificate = { epoch: epochNumber(1), seq: sequenceNumber(8), stateRoot: "5".repeat(64), signatures: [] };
      const values = [{ value: undefined, proof: { excerpts: [] } }];
      const read = { id: asked.read.id, type: "values", certificate, values } as unknown as StateRead;
      calls!.onFrame(Uint8Array.of(frames.push({ type: "state-read", read }) - 1));
      return sent.slice(before).filter(({ type }) => type === "fetch-epochs").length;
    };

    expect(readOnce(), "when it is linked").to.equal(1);
    nowMs += 1_999;
    expect(readOnce()).to.equal(0);
    nowMs += 1;
    expect(readOnce()).to.equal(1);
  });
});
