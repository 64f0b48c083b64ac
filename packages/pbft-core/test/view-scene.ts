import { createViewChangeComposer } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { type Cast, createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  type Digest,
  epochNumber,
  type Membership,
  type PreparedCertificate,
  primaryOf,
  replicaId,
  type VerifiedBatch,
  type VerifiedNewView,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import { membersOf, Scene, seqOf } from "./builders.ts";

const hasher = createNodeHasher();
const cast: Cast = createCast(hasher, createFakeBackend(hasher));
const { signerOf } = cast;
const epoch = epochNumber(0);
const members: Membership = membersOf();

/** What the primary of `view` proposes again above `start`. */
export function newViewOf(view: number, start: number, digests: readonly Digest[]): VerifiedNewView {
  const at = viewNumber(view);
  const composer = createViewChangeComposer({
    signer: signerOf(primaryOf(members, at)),
    hasher,
    cluster: cast.cluster,
  });
  const stable = { epoch, seq: seqOf(start), stateRoot: cast.digestOf(`root ${start}`), signatures: [] };
  return composer.newView(
    { type: "new-view", epoch, view: at, viewChanges: [], start: stable.seq, digests },
    [],
    stable,
    [],
  );
}

/** What prepared at `seq` in `view`: the proposal of its primary and the PREPAREs of two backups. */
export function preparedOf(digest: Digest, seq: number, view: number): PreparedCertificate {
  const at = viewNumber(view);
  const primary = primaryOf(members, at);
  const content = { epoch, view: at, seq: seqOf(seq), digest };
  const backups = [0, 1, 2, 3].filter((id) => id !== primary).slice(0, 2);
  return {
    prePrepare: signerOf(primary).sign({ type: "pre-prepare", ...content }),
    prepares: backups.map((id) => ({
      from: replicaId(id),
      signature: signerOf(id).sign({ type: "prepare", ...content }).signature,
    })),
  };
}

/** One `Ordering` of four that goes through views; votes of the others are cast in the view it is in. */
export class ViewScene extends Scene {
  get view(): ViewNumber {
    return this.ordering.view;
  }
  leave(): this {
    this.ordering.leaveView(this.out);
    return this;
  }
  enter(view: number, digests: readonly Digest[] = [], start = 0): this {
    return this.take(this.ordering.enterView(newViewOf(view, start, digests), this.nowMs, this.out));
  }
  resume(newView?: VerifiedNewView): this {
    return this.take(this.ordering.resume(newView, this.nowMs, this.out));
  }
  body(batch: VerifiedBatch): this {
    return this.take(this.ordering.onBatchBody(batch, this.nowMs, this.out) ?? []);
  }
  proposedIn(view: number, batch: VerifiedBatch, seq = 1): this {
    const from = primaryOf(members, viewNumber(view));
    const envelope = signerOf(from).sign({
      type: "pre-prepare",
      epoch,
      view: viewNumber(view),
      seq: seqOf(seq),
      digest: batch.digest,
    });
    return this.take(this.ordering.onPrePrepare(envelope, batch, this.nowMs, this.out));
  }
  /** PREPAREs, then COMMITs, of these in the current view. */
  preparesHere(from: readonly number[], digest: Digest, seq = 1): this {
    for (const id of from) {
      const vote = signerOf(id).sign({ type: "prepare", epoch, view: this.view, seq: seqOf(seq), digest });
      this.take(this.ordering.onPrepare(vote, this.nowMs, this.out));
    }
    return this;
  }
  commitsHere(from: readonly number[], digest: Digest, seq = 1): this {
    for (const id of from) {
      const vote = signerOf(id).sign({ type: "commit", epoch, view: this.view, seq: seqOf(seq), digest });
      this.take(this.ordering.onCommit(vote, this.out));
    }
    return this;
  }
  /** Places of the own votes since the last `forget`: "type view/seq". */
  get votes(): string[] {
    return this.of("broadcast").flatMap(({ frame }) => {
      if (frame.type !== "signed" && frame.type !== "pre-prepare") return [];
      const { message } = frame.envelope;
      return "digest" in message && "view" in message ? [`${message.type} ${message.view}/${message.seq}`] : [];
    });
  }
}
