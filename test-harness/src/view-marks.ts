import { nullBatchDigest } from "@quorate/crypto";
import type { Digest, Evidence, ReplicaFrame } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { ViewTurn } from "@quorate/server/host";
import type { Marks } from "./marks.ts";
import type { World } from "./world.ts";

/** Views that fail one after another at one replica before it is worth a mark. */
const FAILED_IN_A_ROW = 3;
/** The most digests of NEW-VIEWs that are remembered. */
const PROPOSED_MAX = 4096;

/** Counts the rare events of one correct replica's view changes, from what it shows. */
export class ViewMarks {
  readonly #marks: Marks;
  readonly #nullDigest: Digest;
  /** What NEW-VIEWs proposed. */
  readonly #proposed = new Set<Digest>();
  /** The highest view of which a NEW-VIEW came that starts above h. */
  #waitsFor = 0;
  #cause: Extract<ViewTurn, { type: "started" }>["cause"] | undefined;
  #view = 0;
  #target = 0;
  #left: ReplicaStatus["viewsLeft"] | undefined;

  constructor({ marks, cluster }: World) {
    this.#marks = marks;
    this.#nullDigest = nullBatchDigest(cluster.hasher, cluster.cluster);
  }

  /** It came up again: what follows is measured from here. */
  onRecovered({ view, target }: ReplicaStatus): void {
    if (target > view) this.#marks.add("view: recovered between two views");
    else if (view > 0) this.#marks.add("view: recovered in a later view");
    this.#view = view;
    this.#target = target;
    this.#waitsFor = 0;
    this.#left = undefined;
    this.#cause = undefined;
  }

  /** @param lowWatermark h when the frame arrives. */
  onArrival(frame: ReplicaFrame, lowWatermark: number): void {
    if (frame.type !== "new-view") return;
    const { view, start, digests } = frame.newView.envelope.message;
    if (this.#proposed.size > PROPOSED_MAX) this.#proposed.clear();
    for (const digest of digests) this.#proposed.add(digest);
    if (start > lowWatermark) this.#waitsFor = Math.max(this.#waitsFor, view);
  }

  onSent(frame: ReplicaFrame): void {
    if (frame.type !== "signed" || frame.envelope.message.type !== "fetch-batch") return;
    if (this.#proposed.has(frame.envelope.message.digest)) this.#marks.add("view: body fetched in a new view");
  }

  /** A timer is about to fire: what flushes brought about since the last step is not its doing. */
  beforeTimer({ viewsLeft }: ReplicaStatus): void {
    this.#onViewsLeft(viewsLeft, "flush");
  }

  /** @param cause what the step was about: a type of frame, or a timer. */
  onStatus({ view, target, timeOutMs, viewsLeft }: ReplicaStatus, cause: string, viewChangeMs: number): void {
    if (target > this.#target && target > view) {
      this.#marks.add(cause === "view-change" ? "view: joined by f+1" : `view: left after ${cause}`);
      if (target - view >= FAILED_IN_A_ROW) this.#marks.add("view: several in a row failed");
    }
    this.#onViewsLeft(viewsLeft, cause);
    if (view > this.#view) {
      this.#marks.add("view: new one entered");
      if (view === this.#waitsFor && cause !== "new-view") this.#marks.add("view: NEW-VIEW waited for h");
      if (timeOutMs > viewChangeMs) this.#marks.add("view: entered with a longer time-out");
    }
    this.#view = view;
    this.#target = target;
  }

  #onViewsLeft(viewsLeft: ReplicaStatus["viewsLeft"], cause: string): void {
    // At a status tick a primary hands over only for those that left it alone: for lost disks it did so at once.
    if (cause === "timer status" && viewsLeft["handed-over"] > (this.#left?.["handed-over"] ?? 0))
      this.#marks.add("view: handed over for one that had left it alone");
    for (const why of ["handed-over", "rotated"] as const)
      if (viewsLeft[why] > (this.#left?.[why] ?? 0)) this.#marks.add(`view: ${why}`);
    this.#left = viewsLeft;
  }

  /** It left a view, or entered one. */
  onTurn(turn: ViewTurn): void {
    if (turn.type === "started") this.#cause = turn.cause;
    else if (this.#cause === "slow" || this.#cause === "unfair")
      this.#marks.add(`view: ${this.#cause} primary replaced`);
  }

  onExecuted(digest: string): void {
    if (digest === this.#nullDigest) this.#marks.add("view: null batch executed");
  }

  onEvidence(evidence: Evidence): void {
    const { type } = evidence;
    this.#marks.add(`evidence: ${type === "equivocation" ? `equivocation of ${evidence.first.message.type}` : type}`);
  }
}
