import { signPossession } from "@quorate/crypto";
import { epochNumber, possessionPreimage, replicaId, sequenceNumber } from "@quorate/protocol";
import { type Claimant, JoinClaims, type JoinClaimsOptions } from "@quorate/server";
import { expect } from "chai";
import { backend, cluster, digestOf, membership, seedOf } from "./builders.ts";

const seed = seedOf("spare");
const publicKey = backend.publicKeyOf(seed);
const client = backend.publicKeyOf(seedOf("admin"));
const stable = { seq: sequenceNumber(16), stateRoot: digestOf("state at 16") };
const asked = { epoch: epochNumber(0), id: replicaId(4) };

function claimantOf(change: Partial<Claimant> = {}): Claimant {
  const possess: Claimant["possess"] = (request) => signPossession({ backend, seed, cluster }, request);
  return { publicKey, address: "spare.example:7000", possess, ...change };
}

function claimsOf(change: Partial<JoinClaimsOptions> = {}): JoinClaims {
  return new JoinClaims({
    claimant: claimantOf(),
    epochs: () => ({ membership }),
    stable: () => stable,
    loss: undefined,
    nowMs: () => 0,
    ...change,
  });
}

describe("the claim of an observer", () => {
  it("names its key, its address and its last stable checkpoint, under the id that was asked for, and is signed with its key", () => {
    const answer = claimsOf().answer(client, asked);

    if (answer?.type !== "join-claim") return expect.fail(answer?.type);
    const { change, possession } = answer.claim;
    expect(change).to.deep.equal({
      type: "join",
      member: { id: 4, publicKey, address: "spare.example:7000" },
      checkpoint: stable,
    });
    const preimage = possessionPreimage(cluster, { epoch: asked.epoch, change });
    expect(backend.verify(publicKey, preimage, possession)).to.equal(true);
  });

  it("names the loss of its disk, which the epoch that it joins in has to record", () => {
    const loss = digestOf("a loss");
    const answer = claimsOf({ loss }).answer(client, asked);

    if (answer?.type !== "join-claim") return expect.fail(answer?.type);
    const { change, possession } = answer.claim;
    expect(change.loss).to.equal(loss);
    const signed = (named: typeof change): boolean =>
      backend.verify(publicKey, possessionPreimage(cluster, { epoch: asked.epoch, change: named }), possession);
    expect([signed(change), signed({ ...change, loss: digestOf("another") })]).to.deep.equal([true, false]);
    const { loss: _, ...without } = change;
    expect(signed(without)).to.equal(false);
  });

  for (const [reason, options, epoch] of [
    ["member", { claimant: claimantOf({ publicKey: backend.publicKeyOf(seedOf("replica 2")) }) }, 0],
    ["epoch-other", {}, 1],
    ["no-address", { claimant: claimantOf({ address: undefined }) }, 0],
    ["not-level", { stable: () => undefined }, 0],
  ] as const)
    it(`is not given, and why: ${reason}`, () => {
      const answer = claimsOf(options).answer(client, { ...asked, epoch: epochNumber(epoch) });
      expect(answer).to.deep.equal({ type: "no-claim", reason });
    });

  it("is given to each client a few times a second", () => {
    let atMs = 0;
    const claims = claimsOf({ nowMs: () => atMs });
    const answers = (): number => Array.from({ length: 20 }, () => claims.answer(client, asked)).filter(Boolean).length;

    expect(answers()).to.equal(5);
    expect(claims.answer(publicKey, asked)?.type).to.equal("join-claim");
    atMs = 1_000;
    expect(answers()).to.equal(5);
  });
});
