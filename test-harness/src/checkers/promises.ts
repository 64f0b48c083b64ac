import {
  accusedOf,
  type Envelope,
  type Evidence,
  type ReplicaFrame,
  type ReplicaId,
  type ReplicaMessage,
  type Reply,
} from "@quorate/protocol";
import { type Checker, demand } from "./checker.ts";

/**
 * Promises: in all its life, over all its crashes, a correct replica signs one digest for one place of one phase, one
 * root for one checkpoint, one VIEW-CHANGE and NEW-VIEW for one view and one statement for one number; so nobody has
 * evidence against it. One whose state is wrong is one of the faulty: it is held to what it signs all the same, for it is silent after a
 * quarantine, but not to what it made of another state before it became wrong, was found to be damage, or was lost with a start, after which it is not.
 */
export class PromisesChecker implements Checker {
  readonly #isCorrect: (replica: ReplicaId) => boolean;
  readonly #signed = new Map<string, string>();
  /** Since their last repair. */
  readonly #diverged = new Set<ReplicaId>();

  constructor(isCorrect: (replica: ReplicaId) => boolean) {
    this.#isCorrect = isCorrect;
  }

  onSent(_from: ReplicaId, frame: ReplicaFrame): void {
    const envelope = envelopeIn(frame);
    if (envelope === undefined) return;
    const { from, message } = envelope;
    const promise = promiseOf(message);
    if (promise !== undefined && this.#isCorrect(from)) this.#keep(`${from} ${promise.place}`, promise.content);
  }

  onReply(from: ReplicaId, { statement }: Reply): void {
    const { epoch, seq, historyDigest, outputsRoot } = statement;
    this.#keep(`${from} statement e${epoch} n${seq}`, `${historyDigest} ${outputsRoot}`);
  }

  /** What a crash took it executes again, on a state that is wrong now. */
  onDiverging(replica: ReplicaId): void {
    this.#diverged.add(replica);
    this.#forget(replica);
  }

  onDamaged(replica: ReplicaId): void {
    this.#forget(replica);
  }

  /** What it had executed and not made durable it executes again, and makes something else of a state that is wrong otherwise. */
  onRecovered(replica: ReplicaId): void {
    this.#forget(replica);
  }

  #forget(replica: ReplicaId): void {
    if (!this.#diverged.has(replica)) return;
    for (const place of this.#signed.keys())
      if (place.startsWith(`${replica} statement `) || place.startsWith(`${replica} checkpoint `))
        this.#signed.delete(place);
  }

  onTransferred(replica: ReplicaId): void {
    this.#diverged.delete(replica);
  }

  onEvidence(by: ReplicaId, evidence: Evidence): void {
    const accused = accusedOf(evidence);
    demand(!this.#isCorrect(accused), "promises.false-accusation", { by, accused, evidence });
  }

  #keep(place: string, content: string): void {
    const before = this.#signed.get(place);
    demand(before === undefined || before === content, "promises.equivocation", { place, before, content });
    this.#signed.set(place, content);
  }
}

/** What of a frame its sender, or somebody before him, signed. */
export function envelopeIn(frame: ReplicaFrame): Envelope | undefined {
  switch (frame.type) {
    case "pre-prepare":
    case "signed":
      return frame.envelope;
    case "view-change":
      return frame.viewChange.envelope;
    case "new-view":
      return frame.newView.envelope;
    default:
      return undefined;
  }
}

/** What a message promises: one content for one place, for ever. */
export function promiseOf(message: ReplicaMessage): { readonly place: string; readonly content: string } | undefined {
  const { epoch } = message;
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return { place: `${message.type} e${epoch} v${message.view} n${message.seq}`, content: message.digest };
    case "checkpoint":
      return { place: `checkpoint n${message.seq}`, content: message.stateRoot };
    case "view-change":
    case "new-view":
      return { place: `${message.type} e${epoch} v${message.view}`, content: JSON.stringify(message) };
    default:
      return undefined;
  }
}
