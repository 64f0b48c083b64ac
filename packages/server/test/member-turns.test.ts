import { type Digest, epochNumber, type ReplicaFrame } from "@quorate/protocol";
import { RecoveryError } from "@quorate/server/host";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { seedOf, seqOf } from "./builders.ts";
import {
  AN_OBSERVER,
  ENDS,
  history,
  JOINER,
  JOINER_LOSS,
  LEAVER,
  LOSS,
  MemberScene,
  memberIn,
  proposal,
  REJOINER,
  ROTATED,
  seedIn,
  statusOf,
} from "./member-scene.ts";

const links = (...which: number[]): ReplicaFrame => ({
  type: "epoch-links",
  links: history.links.filter((_link, at) => which.includes(at)),
});
const numbersIn = (frames: readonly ReplicaFrame[]): number[] =>
  frames.flatMap((frame) => (frame.type === "committed" ? [frame.entry.certificate.seq] : []));
const fetchHistory = (epoch: number, first: number, last: number): ReplicaFrame => ({
  type: "fetch-history",
  fetch: { epoch: epochNumber(epoch), first: seqOf(first), last: seqOf(last) },
});
const standing = ({ runner }: MemberScene) => {
  const { epoch, executed, lowWatermark } = runner.status;
  return { epoch, executed, lowWatermark, isObserver: runner.isObserver };
};

describe("a replica that joins (decision 0044)", () => {
  it("follows the epoch before in silence, and votes in its own at once", () => {
    const scene = new MemberScene(JOINER).start().reaches(ENDS.joined - 1);
    expect(standing(scene)).to.deep.equal({ epoch: 0, executed: 31, lowWatermark: 24, isObserver: true });
    expect(scene.signedSince(0)).to.deep.equal([]);
    scene.reaches(ENDS.joined);
    expect(standing(scene)).to.deep.equal({ epoch: 1, executed: 32, lowWatermark: 32, isObserver: false });
    expect(scene.runner.status.mute).to.equal(undefined);

    scene.hears(1, proposal(33));
    expect(scene.flush().votes).to.deep.equal(["prepare 33"]);
    expect(new Set(scene.signedSince(0))).to.deep.equal(new Set([`status of ${JOINER}`, `prepare of ${JOINER}`]));
  });

  it("comes back from a crash as what it was", () => {
    const before = new MemberScene(JOINER).start().reaches(20).crashed().start();
    expect([standing(before).isObserver, before.signedSince(0)]).to.deep.equal([true, []]);
    const after = before.reaches(ENDS.joined).crashed().start();
    expect(standing(after)).to.deep.include({ epoch: 1, isObserver: false });
    after.hears(1, proposal(33));
    expect(after.flush().votes).to.deep.equal(["prepare 33"]);
  });

  it("votes in an epoch to which it was brought by the state of others", () => {
    const scene = new MemberScene(JOINER).start().reaches(3);
    scene.hears(0, links(0, 1));
    scene.flush();
    expect(scene.transition).to.include(`transfer ${ENDS.left}`);
    for (let i = 0; i < 100 && scene.runner.isInstalling; i++)
      scene.receivesState(history.executor, ENDS.left).flush().turn();
    expect(standing(scene)).to.deep.equal({ epoch: 2, executed: 56, lowWatermark: 56, isObserver: false });
    scene.hears(2, proposal(57));
    expect(scene.flush().votes.at(-1)).to.equal("prepare 57");
  });

  it("answers no client, and signs no statement, before it is a member", () => {
    const scene = new MemberScene(JOINER).start().reaches(12);
    expect(scene.hearsClient(), "no junk").to.equal(true);
    expect([scene.toClients, scene.runner.status.pendingRequests]).to.deep.equal([[], 0]);
  });
});

describe("an observer that joins nothing", () => {
  const newObserver = (): MemberScene => new MemberScene(9, createMemoryStore(), [seedOf("of nobody")]).start();

  it("goes through all epochs in silence", () => {
    const scene = newObserver().reaches(ENDS.rejoined + 3);
    expect(standing(scene)).to.deep.equal({ epoch: 4, executed: 107, lowWatermark: 104, isObserver: true });
    expect([scene.signedSince(0), scene.rejected]).to.deep.equal([[], []]);
    expect(scene.runner.mayStop, "it was never a member").to.equal(false);
  });

  it("installs the state of the latest epoch where several have passed, and follows from there", () => {
    const scene = newObserver().reaches(3);
    scene.hears(0, links(0, 1, 2));
    scene.flush();
    expect(scene.transition).to.include(`transfer ${ENDS.rotated}`);
    for (let i = 0; i < 100 && scene.runner.isInstalling; i++)
      scene.receivesState(history.executor, ENDS.rotated).flush().turn();
    expect(standing(scene)).to.deep.equal({ epoch: 3, executed: 80, lowWatermark: 80, isObserver: true });
    scene.reaches(83);
    expect([standing(scene).executed, scene.signedSince(0)]).to.deep.equal([83, []]);
  });

  it("asks a member that says it has executed more, and asks for links where it is of a later epoch", () => {
    const scene = newObserver().reaches(3);
    scene.hears(2, statusOf(2, 0, 5));
    expect(scene.saidTo(2)).to.deep.equal([fetchHistory(0, 4, 5)]);
    scene.hears(1, statusOf(1, 1, 40));
    expect(scene.saidTo(1)).to.deep.equal([{ type: "fetch-epochs", fetch: { above: 0 } }]);
  });

  it("believes no status that its member has not signed", () => {
    const scene = newObserver().reaches(3);
    expect(scene.hears(2, statusOf(2, 0, 5, seedOf("replica 3"))), "junk").to.equal(false);
    expect(scene.hears(AN_OBSERVER, statusOf(2, 0, 5)), "nor one that another observer brings").to.equal(false);
    expect([scene.sent, scene.rejected]).to.deep.equal([[], ["ingress.bad-signature", "observer.speaks"]]);
  });

  it("takes no vote of anyone, also of one that proposes", () => {
    const scene = newObserver().reaches(3);
    expect(scene.hears(0, proposal(4)), "no junk").to.equal(true);
    expect([scene.sent, scene.rejected]).to.deep.equal([[], ["ingress.redundant"]]);
  });
});

describe("a replica that leaves", () => {
  it("votes to the end of its last epoch, is silent after it, and goes on serving", () => {
    const scene = new MemberScene(LEAVER).start().reaches(ENDS.left - 1);
    expect(standing(scene)).to.deep.include({ epoch: 1, isObserver: false });
    scene.reaches(ENDS.left);
    expect(scene.votes.at(-1)).to.equal(`checkpoint ${ENDS.left}`);
    expect(standing(scene)).to.deep.equal({ epoch: 2, executed: 56, lowWatermark: 56, isObserver: true });
    const said = scene.sent.length;
    scene.hears(2, proposal(57));
    scene.timers.get("status")?.();
    expect(scene.flush().signedSince(said)).to.deep.equal([]);

    scene.hears(0, fetchHistory(1, 50, 60));
    expect(numbersIn(scene.saidTo(0)), "of the epoch before").to.deep.equal([50, 51, 52, 53, 54, 55, 56]);
    scene.reaches(58).hears(AN_OBSERVER, fetchHistory(2, 57, 60));
    expect(numbersIn(scene.saidTo(AN_OBSERVER)), "of the next one").to.deep.equal([57, 58]);
  });

  it("may be stopped when f+1 members have begun the next epoch, not before", () => {
    const scene = new MemberScene(LEAVER).start().reaches(ENDS.left);
    const isTold = (): boolean => scene.runner.mayStop;
    expect(isTold()).to.equal(false);
    scene.hears(2, statusOf(2, 2, 56));
    scene.hears(2, statusOf(2, 2, 56));
    expect(isTold(), "one may lie").to.equal(false);
    expect(scene.happened).to.not.include("dispensable");
    scene.hears(JOINER, statusOf(JOINER, 2, 56));
    expect(isTold()).to.equal(true);
    scene.timers.get("status")?.();
    expect(scene.flush().happened.at(-1)).to.equal("dispensable");
    expect(new MemberScene(0).start().reaches(ENDS.left).runner.mayStop, "a member").to.equal(false);
  });

  it("is no member any more whose word counts, also by the link that it had as one", () => {
    const scene = new MemberScene(0).start().reaches(ENDS.left);
    const asked = { type: "fetch-epochs", fetch: { above: epochNumber(0) } } as const;
    expect(scene.hears(LEAVER, statusOf(LEAVER, 2, 60)), "its word").to.equal(false);
    expect(scene.hears(LEAVER, asked), "a question").to.equal(true);
    expect(scene.rejected).to.deep.equal(["observer.speaks"]);
    expect(scene.hears(AN_OBSERVER, fetchHistory(1, 55, 56))).to.equal(true);
    expect(numbersIn(scene.saidTo(AN_OBSERVER)), "and is given what it lacks").to.deep.equal([55, 56]);
  });
});

describe("a member whose key changes", () => {
  const OLD = seedIn(ROTATED, 2);
  const NEW = seedIn(ROTATED, 3);

  it("signs with the one of its epoch", () => {
    const scene = new MemberScene(ROTATED, createMemoryStore(), [OLD, NEW]).start().reaches(ENDS.rotated - 1);
    scene.reaches(ENDS.rotated).hears(JOINER, proposal(81));
    scene.flush();
    const signed = scene.sent.flatMap((frame) => (frame.type === "signed" ? [frame.envelope] : []));
    const last = signed.at(-1)!;
    expect(last.message).to.deep.include({ type: "prepare", epoch: 3, seq: 81 });
    expect(last).to.deep.equal(memberIn(ROTATED, 3).sign(last.message));
    const before = signed.filter(({ message }) => message.epoch === 2);
    expect(before).to.have.length.above(0);
    for (const envelope of before) expect(envelope).to.deep.equal(memberIn(ROTATED, 2).sign(envelope.message));
  });

  it("is an observer where it has only the one of before, or only the next one", () => {
    const isObserverIn = (seed: Uint8Array): boolean[] =>
      [70, ENDS.rotated].map((seq) => {
        const scene = new MemberScene(ROTATED, createMemoryStore(), [seed]).start().reaches(seq);
        return scene.runner.isObserver;
      });
    expect(isObserverIn(OLD)).to.deep.equal([false, true]);
    expect(isObserverIn(NEW)).to.deep.equal([true, false]);
  });

  it("is not heard with the old one", () => {
    const scene = new MemberScene(0).start().reaches(ENDS.rotated);
    expect(scene.hears(ROTATED, statusOf(ROTATED, 3, 81, OLD)), "junk").to.equal(false);
    expect(scene.rejected).to.deep.equal(["ingress.bad-signature"]);
    expect(scene.hears(ROTATED, statusOf(ROTATED, 3, 81))).to.equal(true);
  });

  it("is not started without the one that it has voted with", () => {
    const scene = new MemberScene(ROTATED, createMemoryStore(), [OLD, NEW]).start().reaches(ENDS.rotated);
    scene.hears(JOINER, proposal(81));
    scene.flush();
    const again = scene.crashed([NEW]).start();
    expect(again.runner.isObserver).to.equal(false);
    expect(() => again.crashed([OLD]).start()).to.throw(RecoveryError, "put back the key that it voted with");
  });
});

describe("a member that rejoins after the loss of its disk", () => {
  const lost = (nonce = LOSS): MemberScene =>
    new MemberScene(REJOINER, createMemoryStore({ lossNonce: nonce })).start();

  it("is mute until the epoch in which it has rejoined, and votes there at once", () => {
    const scene = lost().reaches(ENDS.rejoined - 1);
    expect(scene.runner.status.mute).to.not.equal(undefined);
    expect(scene.votes).to.deep.equal([]);
    scene.reaches(ENDS.rejoined);
    expect([scene.runner.status.epoch, scene.runner.status.mute]).to.deep.equal([4, undefined]);
    expect(scene.happened.at(-2), "and says so").to.equal("mute no more");
    scene.hears(0, proposal(105));
    expect(scene.flush().votes).to.deep.equal(["prepare 105"]);

    const again = scene.crashed().start();
    expect([again.runner.status.epoch, again.runner.status.mute]).to.deep.equal([4, undefined]);
  });

  it("stays mute there where it was another disk that it rejoined after", () => {
    const scene = lost(history.certificateAt(8).stateRoot).reaches(ENDS.rejoined);
    expect(scene.runner.status.epoch).to.equal(4);
    scene.hears(0, proposal(105));
    expect([scene.flush().votes, scene.runner.status.mute === undefined]).to.deep.equal([[], false]);
  });
});

describe("a joiner that had lost its disk", () => {
  const lost = (nonce: Digest): MemberScene => new MemberScene(JOINER, createMemoryStore({ lossNonce: nonce })).start();

  it("votes at once in the epoch that it joins in, which has the loss that it claimed", () => {
    const scene = lost(JOINER_LOSS).reaches(ENDS.joined);
    expect([scene.runner.status.epoch, scene.runner.isObserver, scene.runner.status.mute]).to.deep.equal([
      1,
      false,
      undefined,
    ]);
    const again = scene.crashed().start();
    expect([again.runner.status.epoch, again.runner.status.mute]).to.deep.equal([1, undefined]);
  });

  it("is mute there where it has lost another disk since", () => {
    const { status } = lost(LOSS).reaches(ENDS.joined).runner;
    expect([status.epoch, status.mute?.loss]).to.deep.equal([1, LOSS]);
  });
});

describe("what observers ask of a replica", () => {
  const member = (): MemberScene => new MemberScene(0).start().reaches(20);

  it("is answered as far as it has executed, and no further", () => {
    const scene = member();
    scene.hears(AN_OBSERVER, fetchHistory(0, 18, 40));
    expect(numbersIn(scene.saidTo(AN_OBSERVER))).to.deep.equal([18, 19, 20]);
    scene.hears(AN_OBSERVER, fetchHistory(0, 21, 40));
    scene.hears(AN_OBSERVER, fetchHistory(0, 0, 3));
    expect(scene.rejected).to.deep.equal(["fetch.not-here", "fetch.not-here"]);
  });

  it("is told the certificate where the history does not reach down", () => {
    const scene = new MemberScene(JOINER).start();
    scene.hears(0, links(0, 1));
    scene.flush();
    for (let i = 0; i < 100 && scene.runner.isInstalling; i++)
      scene.receivesState(history.executor, ENDS.left).flush().turn();
    scene.hears(AN_OBSERVER, fetchHistory(2, 20, 30));
    const [answer] = scene.saidTo(AN_OBSERVER);
    expect(answer).to.deep.equal({ type: "below-history", checkpoint: history.certificateAt(ENDS.left) });
  });

  it("is answered in its turn, and without end to nobody", () => {
    const scene = member();
    for (let i = 0; i < 1_000; i++) scene.hears(AN_OBSERVER, fetchHistory(0, 20, 20));
    expect(numbersIn(scene.saidTo(AN_OBSERVER))).to.have.length.below(100);
    expect(new Set(scene.rejected)).to.deep.equal(new Set(["fetch.over-budget"]));
    scene.hears(AN_OBSERVER - 1, fetchHistory(0, 20, 20));
    expect(numbersIn(scene.saidTo(AN_OBSERVER - 1)), "another").to.deep.equal([20]);
  });

  it("is links, and it is asked for them itself where it knows of an epoch that is not known here", () => {
    const scene = new MemberScene(0).start().reaches(ENDS.joined);
    scene.hears(AN_OBSERVER, { type: "fetch-epochs", fetch: { above: epochNumber(0) } });
    expect(scene.saidTo(AN_OBSERVER)).to.deep.equal([links(0)]);
    expect(scene.hears(AN_OBSERVER, fetchHistory(9, 33, 40))).to.equal(true);
    expect(scene.saidTo(AN_OBSERVER).slice(1)).to.deep.equal([{ type: "fetch-epochs", fetch: { above: 1 } }]);
  });

  it("is nothing that a member says: whoever says it there is cut off", () => {
    const scene = member();
    const said = scene.sent.length;
    for (const frame of [statusOf(2, 0, 25), proposal(21)])
      expect(scene.hears(AN_OBSERVER, frame), frame.type).to.equal(false);
    expect(scene.rejected).to.deep.equal(["observer.speaks", "observer.speaks"]);
    expect([scene.runner.epochs.epoch, scene.flush().sent.length - said]).to.deep.equal([0, 0]);
  });

  it("is no reason to cut off one that is a member in a later epoch: it is asked for the links, which prove themselves", () => {
    const scene = member();
    expect(scene.hears(AN_OBSERVER, statusOf(JOINER, 1, 33))).to.equal(true);
    expect(scene.saidTo(AN_OBSERVER)).to.deep.equal([{ type: "fetch-epochs", fetch: { above: 0 } }]);
    const [link] = history.links;
    const { certificate } = link!;
    const forged = { ...link!, certificate: { ...certificate, signatures: certificate.signatures.slice(1) } };
    expect(scene.hears(AN_OBSERVER, { type: "epoch-links", links: [forged] })).to.equal(false);
    expect(scene.hears(AN_OBSERVER, links(0))).to.equal(true);
    expect(scene.flush().runner.epochs.epoch).to.equal(1);
    // It is to come to the end of epoch 0 yet, and what is said there by one that leaves is no lie.
    expect(scene.hears(AN_OBSERVER, statusOf(LEAVER, 0, 25))).to.equal(true);
  });

  it("is no reason to cut off one that answers what it was asked for as a member: that proves itself", () => {
    const scene = member();
    scene.hears(AN_OBSERVER, { type: "stable-checkpoint", checkpoint: history.certificateAt(24) });
    expect(scene.reaches(24).runner.status.lowWatermark).to.equal(24);
    const forged = { ...history.certificateAt(32), stateRoot: history.certificateAt(8).stateRoot };
    expect(scene.hears(AN_OBSERVER, { type: "stable-checkpoint", checkpoint: forged }), "or not").to.equal(false);
    expect(scene.rejected).to.include("ingress.bad-certificate");
  });

  it("is the rest of an epoch of which it was a member, and it learns that that is over", () => {
    const scene = new MemberScene(0).start().reaches(ENDS.left);
    expect(scene.hears(AN_OBSERVER, statusOf(LEAVER, 1, 50))).to.equal(true);
    expect(scene.saidTo(AN_OBSERVER)).to.deep.equal([links(1)]);
    const { batch } = proposal(57) as Extract<ReplicaFrame, { type: "pre-prepare" }>;
    const [request] = batch.requests;
    expect(scene.hears(AN_OBSERVER, { type: "request", request: request! }), "of no epoch").to.equal(true);
    expect(scene.runner.status.pendingRequests).to.equal(0);
    expect(scene.rejected).to.deep.equal(["epoch.other", "ingress.redundant"]);
  });
});
