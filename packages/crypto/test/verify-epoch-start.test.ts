import {
  type CheckpointCertificate,
  epochNumber,
  type JustifiedNewView,
  type JustifiedReplyStable,
  type JustifiedViewChange,
  type Membership,
  sequenceNumber,
  viewNumber,
} from "@quorate/protocol";
import { expect } from "chai";
import { backend, checkpointOf, cluster, digestOf, membership, membership1, signaturesOf } from "./builders.ts";
import { ViewChangeScene } from "./view-change-scene.ts";

const scene = new ViewChangeScene(backend, membership1);
const { start } = membership1;
if (start === undefined) throw new Error("epoch 1 has no start");
/** What epoch 1 begins with: nobody has to sign it again. */
const known: CheckpointCertificate = { epoch: epochNumber(1), ...start, signatures: [] };
const later = scene.checkpoint(16);

/** Each with this certificate beside it, and a message under its sender's own signature that says the same. */
function viewChangeOf(checkpoint: CheckpointCertificate): JustifiedViewChange {
  const { viewChange } = scene.viewChange(2, start?.seq ?? 0);
  const { seq, stateRoot } = checkpoint;
  const message = { ...viewChange.envelope.message, stable: { seq, stateRoot } };
  return { ...viewChange, envelope: scene.sign(2, message), checkpoint };
}
function newViewOf(checkpoint: CheckpointCertificate): JustifiedNewView {
  const quorum = [0, 1, 3].map((id) => scene.viewChange(id, start?.seq ?? 0));
  const { newView } = scene.newView(quorum, { start: checkpoint.seq });
  return { ...newView, checkpoint };
}
function replyOf(checkpoint: CheckpointCertificate): JustifiedReplyStable {
  const { epoch, seq, stateRoot } = { ...checkpoint, epoch: epochNumber(1) };
  const message = { epoch, nonce: digestOf("nonce"), stable: { seq, stateRoot }, view: viewNumber(5) };
  return { envelope: scene.sign(2, { type: "reply-stable", ...message }), checkpoint };
}

/** Which of the three are verified with it. */
function takenWith(checkpoint: CheckpointCertificate, members: Membership = membership1): string[] {
  const verifier = scene.newVerifier();
  const verified = {
    "view-change": verifier.verifyViewChange(viewChangeOf(checkpoint), members),
    "new-view": verifier.verifyNewView(newViewOf(checkpoint), members),
    "reply-stable": verifier.verifyReplyStable(replyOf(checkpoint), members),
  };
  return Object.entries(verified).flatMap(([type, value]) => (value === undefined ? [] : [type]));
}

describe("what an epoch begins with (protocol rule 11.3)", () => {
  it("is known in VIEW-CHANGE, NEW-VIEW and REPLY-STABLE, and has no signatures", () => {
    expect(scene.checkpoint(start.seq)).to.deep.equal(known);
    expect(takenWith(known)).to.deep.equal(["view-change", "new-view", "reply-stable"]);
  });

  it("is followed by checkpoints that members of the epoch have signed", () => {
    expect(takenWith(later)).to.include("view-change").and.to.include("reply-stable");
    expect(takenWith({ ...later, signatures: [] })).to.deep.equal([]);
    expect(takenWith({ ...later, signatures: later.signatures.slice(1) })).to.deep.equal([]);
  });

  const root = start.stateRoot;
  const claim = { epoch: epochNumber(1), seq: start.seq, stateRoot: root };
  const wrong: Readonly<Record<string, CheckpointCertificate>> = {
    "another state at its number": { ...known, stateRoot: digestOf("another state") },
    "its state at a number below": { ...known, seq: sequenceNumber(start.seq - 1) },
    "its state at a number above": { ...known, seq: sequenceNumber(start.seq + 1) },
    "its state at genesis' number": { ...known, seq: sequenceNumber(0) },
    "genesis in the later epoch": { ...known, seq: sequenceNumber(0), stateRoot: cluster as string as typeof root },
    "genesis' state at its number": { ...known, stateRoot: cluster as string as typeof root },
    "signatures of its members": { ...known, signatures: signaturesOf([0, 1, 2], { type: "checkpoint", ...claim }) },
    "the link itself, of the epoch before": {
      ...known,
      epoch: epochNumber(0),
      signatures: signaturesOf([0, 1, 2], { type: "checkpoint", ...claim, epoch: epochNumber(0) }),
    },
    "no signatures under the epoch before": { ...known, epoch: epochNumber(0) },
    "a number below with signatures of its members": {
      ...claim,
      seq: sequenceNumber(4),
      signatures: signaturesOf([0, 1, 2], { type: "checkpoint", ...claim, seq: sequenceNumber(4) }),
    },
  };
  for (const [what, checkpoint] of Object.entries(wrong))
    it(`is not ${what}`, () => {
      expect(takenWith(checkpoint)).to.deep.equal([]);
    });

  it("is nothing in the epoch before, where its number has to be signed as any other", () => {
    const of0 = new ViewChangeScene();
    const { viewChange } = of0.viewChange(2, 8);
    const { signatures: _, ...content } = viewChange.checkpoint;

    expect(checkpointOf("root")).to.include({ epoch: 0, seq: 8 });
    expect(of0.newVerifier().verifyViewChange(viewChange, membership)).to.not.equal(undefined);
    expect(
      of0.newVerifier().verifyViewChange({ ...viewChange, checkpoint: { ...content, signatures: [] } }, membership),
    ).to.equal(undefined);
  });

  it("lets claims above it be proven by the epoch's own members", () => {
    const { viewChange } = scene.viewChange(2, start.seq, [scene.claim(9, 0), scene.claim(11, 3)]);

    expect(scene.newVerifier().verifyViewChange(viewChange, membership1)).to.not.equal(undefined);
  });

  it("is judged anew for each epoch, whatever a verifier has seen before", () => {
    const verifier = scene.newVerifier();
    const other = { ...membership1, start: { ...start, stateRoot: digestOf("another state") } };
    expect(verifier.verifyViewChange(viewChangeOf(known), membership1)).to.not.equal(undefined);

    expect(verifier.verifyViewChange(viewChangeOf(known), other)).to.equal(undefined);
  });
});
