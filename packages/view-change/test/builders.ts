import { createViewChangeComposer, nullBatchDigest } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { type Cast, createCast, createFakeBackend } from "@quorate/crypto/testing";
import {
  type CheckpointCertificate,
  concludeNewView,
  type Digest,
  type Effect,
  epochNumber,
  type MemberSignature,
  type Membership,
  type NewView,
  type PreparedCertificate,
  type PreparedClaim,
  primaryOf,
  quorumSize,
  type ReplicaFrame,
  type ReplicaMessage,
  replicaId,
  type SequenceNumber,
  type Status,
  sequenceNumber,
  type VerifiedNewView,
  type VerifiedViewChange,
  type ViewChange,
  type ViewChangeComposer,
  viewNumber,
} from "@quorate/protocol";
import { type Promises, type RestoredViews, type ViewChangeStep, ViewChanging } from "@quorate/view-change";

const hasher = createNodeHasher();
const cast: Cast = createCast(hasher, createFakeBackend(hasher));
const epoch = epochNumber(0);
export const verifier: Cast["verifier"] = cast.verifier;
export const digestOf: Cast["digestOf"] = cast.digestOf;
export const membersOf: Cast["membersOf"] = cast.membersOf;
export const seqOf: (value: number) => SequenceNumber = sequenceNumber;
export const nullDigest: Digest = nullBatchDigest(hasher, cast.cluster);
export const FIRST_MS = 1_000;
export const MAX_MS = 4_000;
export const L = 16;

/** Replicas 0 … n-1 and what they sign on the way from view to view. */
export class Company {
  readonly membership: Membership;

  constructor(n = 4) {
    this.membership = membersOf(n);
  }

  composerOf(id: number): ViewChangeComposer {
    return createViewChangeComposer({ signer: cast.signerOf(id), hasher, cluster: cast.cluster });
  }
  primary(view: number): number {
    return primaryOf(this.membership, viewNumber(view));
  }
  /** Of genesis for 0, else signed by a quorum. */
  checkpoint(seq: number): CheckpointCertificate {
    if (seq === 0) return { epoch, seq: seqOf(0), stateRoot: cast.cluster as string as Digest, signatures: [] };
    const content = { epoch, seq: seqOf(seq), stateRoot: digestOf(`root ${seq}`) };
    const signers = this.#ids().slice(0, quorumSize(this.membership));
    return { ...content, signatures: signaturesOf(signers, { type: "checkpoint", ...content }) };
  }
  prepared({ seq, view, digest }: PreparedClaim): PreparedCertificate {
    const content = { epoch, seq, view, digest };
    const primary = this.primary(view);
    const backups = this.#ids()
      .filter((id) => id !== primary)
      .slice(0, quorumSize(this.membership) - 1);
    return {
      prePrepare: cast.signerOf(primary).sign({ type: "pre-prepare", ...content }),
      prepares: signaturesOf(backups, { type: "prepare", ...content }),
    };
  }
  promises(stable = 0, claims: readonly PreparedClaim[] = []): Promises {
    return { stable: this.checkpoint(stable), prepared: claims.map((claim) => this.prepared(claim)) };
  }
  viewChange(id: number, view: number, stable = 0, claims: readonly PreparedClaim[] = []): VerifiedViewChange {
    const checkpoint = this.checkpoint(stable);
    const message: ViewChange = {
      type: "view-change",
      epoch,
      view: viewNumber(view),
      stable: { seq: checkpoint.seq, stateRoot: checkpoint.stateRoot },
      prepared: claims,
    };
    const certificates = claims.map((claim) => this.prepared(claim));
    return this.composerOf(id).viewChange(message, checkpoint, certificates);
  }
  /** What the primary of their view draws from these, unless `change` says otherwise. */
  newView(quorum: readonly VerifiedViewChange[], change: Partial<NewView> = {}, sender?: number): VerifiedNewView {
    const messages = quorum.map(({ viewChange }) => viewChange.envelope.message);
    const view = messages[0]!.view;
    const conclusion = concludeNewView(messages)!;
    const message: NewView = {
      type: "new-view",
      epoch,
      view,
      viewChanges: quorum.map(({ digest, viewChange }) => ({ from: viewChange.envelope.from, digest })),
      start: conclusion.start.seq,
      digests: conclusion.chosen.map((claim) => claim?.digest ?? nullDigest),
      ...change,
    };
    const certificates = conclusion.chosen.filter((claim) => claim !== undefined).map((claim) => this.prepared(claim));
    const checkpoint = this.checkpoint(conclusion.start.seq);
    return this.composerOf(sender ?? this.primary(view)).newView(message, quorum, checkpoint, certificates);
  }
  /** A NEW-VIEW of the first quorum, all of whose VIEW-CHANGEs claim the same. */
  plainNewView(view: number, stable = 0, claims: readonly PreparedClaim[] = []): VerifiedNewView {
    const quorum = this.#ids().slice(0, quorumSize(this.membership));
    return this.newView(quorum.map((id) => this.viewChange(id, view, stable, claims)));
  }

  #ids(): number[] {
    return this.membership.members.map(({ id }) => id);
  }
}

export function claim(seq: number, view: number, batch = `batch ${seq}`): PreparedClaim {
  return { seq: seqOf(seq), view: viewNumber(view), digest: digestOf(batch) };
}

function signaturesOf(ids: readonly number[], message: ReplicaMessage): MemberSignature[] {
  return ids.map((id) => ({ from: replicaId(id), signature: cast.signerOf(id).sign(message).signature }));
}

export interface SceneOptions {
  readonly self?: number;
  readonly n?: number;
  readonly stable?: number;
  readonly restored?: RestoredViews;
  /** Of `restored`; 0 without. */
  readonly view?: number;
  /** It does nothing that it is told to until it is not. */
  readonly isMute?: boolean;
}

/** One `ViewChanging` among replicas that the test plays; leaves views by itself when it says so. */
export class Scene {
  readonly company: Company;
  readonly views: ViewChanging;
  readonly effects: Effect[] = [];
  /** "leave 3", "enter 3", in order. */
  readonly steps: string[] = [];
  promises: Promises;
  #isMute: boolean;

  constructor({ self = 2, n = 4, stable = 0, restored, view = 0, isMute = false }: SceneOptions = {}) {
    this.#isMute = isMute;
    this.company = new Company(n);
    this.promises = this.company.promises(stable);
    this.views = new ViewChanging(
      {
        composer: this.company.composerOf(self),
        windowSize: L,
        nullDigest,
        viewChangeMs: FIRST_MS,
        viewChangeMaxMs: MAX_MS,
        isMute,
      },
      { stable: this.company.checkpoint(stable), membership: this.company.membership, view: viewNumber(view) },
      restored,
    );
  }

  follow(first: ViewChangeStep | undefined): this {
    if (this.#isMute) return this;
    for (let step = first; step !== undefined; ) {
      this.views.checkInvariants();
      if (step.type === "enter") {
        this.steps.push(`enter ${step.newView.newView.envelope.message.view}`);
        return this;
      }
      this.steps.push(`leave for ${step.target}`);
      step = this.views.leave(step, this.promises, this.effects);
    }
    this.views.checkInvariants();
    return this;
  }
  unmute(): this {
    this.#isMute = false;
    return this.follow(this.views.unmute());
  }
  fail(): this {
    return this.follow(this.views.onFailed());
  }
  hear(viewChange: VerifiedViewChange): this {
    return this.follow(this.views.onViewChange(viewChange, this.effects));
  }
  /** Plain VIEW-CHANGEs of these. */
  others(ids: readonly number[], view: number): this {
    for (const id of ids) this.hear(this.company.viewChange(id, view));
    return this;
  }
  hearNewView(newView: VerifiedNewView): this {
    return this.follow(this.views.onNewView(newView, this.effects));
  }
  /** `from` asks to be relieved of `view`. */
  handOver(from: number, view: number): this {
    const asked = cast.signerOf(from).sign({ type: "hand-over", epoch, view: viewNumber(view) });
    return this.follow(this.views.onHandOver(asked, this.effects));
  }
  /** The own one, as primary of the view that it is in. */
  askToBeRelieved(self: number): this {
    const asked = cast.signerOf(self).sign({ type: "hand-over", epoch, view: this.views.view });
    return this.follow(this.views.handOver(asked, this.effects));
  }
  /** The own one, as primary of a view that few have left. */
  handOverToLeavers(self: number, view: number): this {
    const asked = cast.signerOf(self).sign({ type: "hand-over", epoch, view: viewNumber(view) });
    return this.follow(this.views.handOverToLeavers(asked, this.effects));
  }
  stable(seq: number): this {
    return this.follow(this.views.onStable(seqOf(seq), this.effects));
  }
  /** The last timer that was started ends. */
  timeout(): this {
    const token = this.of("start-timer").at(-1)?.token ?? 0;
    return this.follow(this.views.onTimeout(token));
  }
  forget(): this {
    this.effects.length = 0;
    this.steps.length = 0;
    return this;
  }

  of<T extends Effect["type"]>(type: T): Extract<Effect, { type: T }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { type: T }> => effect.type === type);
  }
  /** What was written and said, in order. */
  get order(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type === "persist") return [`write ${effect.record.type}`];
      if (effect.type !== "broadcast") return [];
      const { frame } = effect;
      return [`say ${frame.type === "signed" ? frame.envelope.message.type : frame.type}`];
    });
  }
  get timersMs(): number[] {
    return this.of("start-timer").map(({ afterMs }) => afterMs);
  }
  get rejections(): string[] {
    return this.of("rejected").map(({ rejection }) =>
      "fault" in rejection ? `${rejection.code} ${rejection.fault}` : rejection.code,
    );
  }
  get evidence(): string[] {
    return this.of("evidence").map(({ evidence }) => evidence.type);
  }
  get said(): ReplicaFrame[] {
    return this.of("broadcast").map(({ frame }) => frame);
  }
  get newViewSaid(): VerifiedNewView["newView"] | undefined {
    return this.said.find((frame) => frame.type === "new-view")?.newView;
  }
}

/** What a peer that stands so says of itself. */
export function statusOf(view: number, target: number = view, viewChangesOf: readonly number[] = []): Status {
  return {
    type: "status",
    epoch,
    view: viewNumber(view),
    executed: seqOf(0),
    stable: seqOf(0),
    accepted: seqOf(0),
    lacks: [],
    target: viewNumber(target),
    viewChangesOf: viewChangesOf.map(replicaId),
    executionDigest: undefined,
  };
}

/** "view-change of 3 for 5": what is sent, by name. */
export function namesOf(frames: readonly ReplicaFrame[]): string[] {
  return frames.map((frame) => {
    if (frame.type === "new-view") return `new-view ${frame.newView.envelope.message.view}`;
    if (frame.type !== "view-change") return frame.type;
    const { from, message } = frame.viewChange.envelope;
    return `view-change of ${from} for ${message.view}`;
  });
}
