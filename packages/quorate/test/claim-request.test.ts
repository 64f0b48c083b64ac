import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import {
  type ClientFrame,
  digest,
  epochNumber,
  type JoinClaim,
  replicaId,
  type ServerFrame,
  sequenceNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { expect } from "chai";
import { ClaimError, type ClaimRequestOptions, requestClaim } from "../dist/claim-request.js";

const script = new ScriptedEpochs();
const codec: Codec = createCodec(wireLimitsOf(script.genesis));
const QUESTION = { address: "10.0.0.5:7000", epoch: epochNumber(3), id: replicaId(7) };
const CLAIM: JoinClaim = {
  change: {
    type: "join",
    member: { id: QUESTION.id, publicKey: script.genesis.members[0]!.publicKey, address: "10.0.0.5:7000" },
    checkpoint: { seq: sequenceNumber(64), stateRoot: digest("22".repeat(32)) },
  },
  possession: new Uint8Array(64).fill(1),
};
/** Of whoever answers. */
const KEY = script.genesis.members[2]!.publicKey;
const LATER = { type: "no-claim", reason: "not-level" } as const;

/** The replica at the address: it answers each question with the next of these, and with the last for ever. */
class Joiner {
  readonly asked: ClientFrame[] = [];
  isLinked = true;
  readonly dial: ClaimRequestOptions["dial"];

  constructor(...answers: readonly ServerFrame[]) {
    this.dial = (address, expected, calls) => {
      expect([address, expected]).to.deep.equal([QUESTION.address, "any-replica"]);
      queueMicrotask(() => calls.onUp({ peer: { role: "replica", id: replicaId(2), publicKey: KEY } }));
      return {
        expected: "any-replica",
        isUp: true,
        droppedDown: 0,
        snapshot: () => undefined,
        send: (bytes) => {
          const decoded = codec.decodeClientFrame(bytes);
          if (!decoded.ok) throw new Error("no frame");
          this.asked.push(decoded.value);
          const answer = answers[Math.min(this.asked.length, answers.length) - 1];
          if (answer !== undefined) queueMicrotask(() => calls.onFrame(codec.encodeServerFrame(answer)));
          return true;
        },
        close: () => {
          this.isLinked = false;
        },
      };
    };
  }

  ask(options: Partial<ClaimRequestOptions> = {}): Promise<JoinClaim> {
    const { dial } = this;
    return requestClaim(QUESTION, { dial, codec, isProven: () => true, timeoutMs: 60_000, askAgainMs: 1, ...options });
  }
  async refusal(options?: Partial<ClaimRequestOptions>): Promise<ClaimError> {
    const error = await this.ask(options).catch((reason: unknown) => reason);
    expect(this.isLinked, "the link ends with the question").to.equal(false);
    if (error instanceof ClaimError) return error;
    throw new Error(`no ClaimError: ${String(error)}`);
  }
}

describe("Whoever asks a joiner for its claim", () => {
  it("names epoch and id, and takes what it has signed", async () => {
    const joiner = new Joiner({ type: "join-claim", claim: CLAIM });

    expect(await joiner.ask()).to.deep.equal(CLAIM);

    expect(joiner.asked).to.deep.equal([{ type: "fetch-claim", fetch: { epoch: 3, id: 7 } }]);
    expect(joiner.isLinked).to.equal(false);
  });

  it("hears whose key it has that is a member already", async () => {
    const refused = await new Joiner({ type: "no-claim", reason: "member" }).refusal();
    const late = await new Joiner({ type: "no-claim", reason: "no-address" }).refusal();

    expect([refused.code, refused.member]).to.deep.equal(["claim.refused", KEY]);
    expect([late.code, late.member]).to.deep.equal(["claim.refused", undefined]);
  });

  it("asks again until it is ready", async () => {
    const joiner = new Joiner(LATER, { type: "no-claim", reason: "epoch-other" }, { type: "join-claim", claim: CLAIM });

    expect(await joiner.ask()).to.deep.equal(CLAIM);

    expect(joiner.asked.length).to.equal(3);
  });

  for (const [reason, message] of [
    ["member", /is a member already/],
    ["no-address", /start it with --advertise/],
  ] as const)
    it(`gives up at once on one that answers ${reason}, and says why`, async () => {
      const refusal = await new Joiner({ type: "no-claim", reason }).refusal();

      expect(refusal.code).to.equal("claim.refused");
      expect(refusal.message).to.match(message).and.to.contain(QUESTION.address);
    });

  it("takes no claim that its key has not signed, nor one with another id", async () => {
    const other = { ...CLAIM, change: { ...CLAIM.change, member: { ...CLAIM.change.member, id: replicaId(8) } } };

    const unsigned = await new Joiner({ type: "join-claim", claim: CLAIM }).refusal({ isProven: () => false });
    const renamed = await new Joiner({ type: "join-claim", claim: other }).refusal();

    for (const { code, message } of [unsigned, renamed]) {
      expect(code).to.equal("claim.bad");
      expect(message).to.contain("for epoch 3 and id 7");
    }
  });

  it("says at its deadline what it lacked", async () => {
    const lagging = await new Joiner(LATER).refusal({ timeoutMs: 20 });
    const silent = await new Joiner().refusal({ timeoutMs: 20 });
    expect([lagging.code, silent.code]).to.deep.equal(["claim.late", "claim.late"]);
    expect(lagging.message).to.contain("has no stable checkpoint yet");
    expect(silent.message).to.contain("nobody answers there");
  });
});
