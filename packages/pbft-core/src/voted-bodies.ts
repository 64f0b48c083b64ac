import {
  type Digest,
  type Fill,
  invariant,
  type SequenceNumber,
  sequenceNumber,
  type VerifiedBatch,
  type ViewNumber,
} from "@quorate/protocol";
import { bytesOf } from "./pending-request.ts";

/** A batch takes at least this part of the largest one's room: their number is bounded, too. */
const LEAST_SHARE = 1 / 8;

interface OfView {
  readonly bodies: Map<SequenceNumber, VerifiedBatch>;
  room: number;
}

/**
 * The bodies of what this replica voted for in views that it has left, until the number is delivered (protocol rule 4.4).
 * What prepared may be known to one faulty member alone, who may claim it in any later view (OSDI'99 §4.4); then those who
 * voted for it are the only ones to have the body.
 *
 * The room is that of one window. When it is full, the view that takes most of it gives way, highest number first: whoever
 * floods his own views drives out his own batches, not those of others.
 */
export class VotedBodies {
  readonly #roomMax: number;
  readonly #roomMin: number;
  readonly #views = new Map<ViewNumber, OfView>();

  /**
   * @param windowSize L.
   * @param batchBytesMax of genesis.
   */
  constructor(windowSize: number, batchBytesMax: number) {
    this.#roomMax = windowSize * batchBytesMax;
    this.#roomMin = batchBytesMax * LEAST_SHARE;
  }

  get fill(): Fill {
    let size = 0;
    for (const { bodies } of this.#views.values()) size += bodies.size;
    return { of: "bodies voted for in views left", size, max: this.#roomMax / this.#roomMin };
  }

  /** `view` is left, or was in an earlier life. */
  keep(view: ViewNumber, seq: SequenceNumber, batch: VerifiedBatch): void {
    if (this.bodyOf(seq, batch.digest) !== undefined) return;
    const ofView = this.#views.get(view) ?? { bodies: new Map(), room: 0 };
    const before = ofView.bodies.get(seq);
    // One vote for a number in a view (protocol rule 4.2).
    invariant(before === undefined, "voted-bodies.two-in-a-view", { view, seq });
    ofView.bodies.set(seq, batch);
    ofView.room += this.#roomOf(batch);
    this.#views.set(view, ofView);
    while (this.#room > this.#roomMax) this.#makeRoom();
  }

  bodyOf(seq: SequenceNumber, digest: Digest): VerifiedBatch | undefined {
    for (const { bodies } of this.#views.values()) {
      const batch = bodies.get(seq);
      if (batch?.digest === digest) return batch;
    }
    return undefined;
  }

  /** Decided for good: no view can choose another batch any more, and the history serves this one. */
  onDelivered(seq: SequenceNumber): void {
    for (const view of this.#views.keys()) this.#drop(view, seq);
  }

  get #room(): number {
    let room = 0;
    for (const ofView of this.#views.values()) room += ofView.room;
    return room;
  }

  #makeRoom(): void {
    const [largest] = [...this.#views].sort(([, a], [, b]) => b.room - a.room);
    invariant(largest !== undefined, "voted-bodies.nothing-to-drop");
    const [view, { bodies }] = largest;
    this.#drop(view, sequenceNumber(Math.max(...bodies.keys())));
  }

  #drop(view: ViewNumber, seq: SequenceNumber): void {
    const ofView = this.#views.get(view);
    const batch = ofView?.bodies.get(seq);
    if (ofView === undefined || batch === undefined) return;
    ofView.bodies.delete(seq);
    ofView.room -= this.#roomOf(batch);
    if (ofView.bodies.size === 0) this.#views.delete(view);
  }

  #roomOf({ requests }: VerifiedBatch): number {
    return Math.max(
      this.#roomMin,
      requests.reduce((bytes, request) => bytes + bytesOf(request), 0),
    );
  }
}
