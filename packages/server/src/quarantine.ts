import { EpochVerifier, type Verifier } from "@quorate/crypto";
import {
  type CheckpointCertificate,
  type FetchStateItem,
  outOfEpoch,
  type ReplicaFrame,
  type ReplicaId,
  type SequenceNumber,
  STATE_CHUNK_BYTES,
  sequenceNumber,
  weakQuorumSize,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { HostPorts, IngressRejection } from "./ports.ts";
import type { QuarantineRecord } from "./quarantine-record.ts";
import { type ReplicaKeys, signerIn } from "./replica-keys.ts";

/** What `status` says of a replica that stands still because it was found to be wrong. */
export interface QuarantineStatus {
  /** Numbers that it may have spoken wrongly of. */
  readonly upTo: number;
  /** This is the so-manyth repair in a row. */
  readonly attempt: number;
  /** Nothing is tried any more before a restart: each repair was followed by the next divergence. */
  readonly isGivenUp: boolean;
}

export interface QuarantineOptions {
  readonly epochs: EpochChain;
  /** Who it is may change while it stands still. */
  readonly keys: ReplicaKeys;
  readonly verifier: Verifier;
  readonly ports: HostPorts;
  readonly record: QuarantineRecord;
  /** What is known already; undefined when there is no certificate but genesis. */
  readonly known: CheckpointCertificate | undefined;
  /**
   * The last own checkpoint: compared with the certificate of that number, or a later one, what differs is what went wrong, and little
   * else. One that is older serves as well, if none comes.
   */
  readonly preferred: SequenceNumber;
  /** The process was started in it: whoever started it may have changed what was wrong, so nothing is waited for. */
  readonly isRestart: boolean;
  readonly onRejection: (rejection: IngressRejection) => void;
  /** There is a certificate to repair towards. Nothing happens afterwards. */
  readonly onTarget: (target: CheckpointCertificate) => void;
  readonly onFatal: (error: Error) => void;
}

/** How long the first, second, … repair in a row is waited for; then nothing is tried any more. */
export const REPAIR_PAUSES_MS: readonly number[] = [0, 1_000, 10_000, 60_000, 600_000];
/** The others are asked so often. */
const ASK_EVERY_MS = 250;
/** A checkpoint is ordered when none has come by then: while there is load, one comes by itself. */
const ORDER_AFTER_ASKS = 4;
/** What was ordered may have been lost: the same is ordered again after so many questions. */
const ORDER_AGAIN_ASKS = 8;
/** Nobody keeps a checkpoint of this number: whoever is asked for it says what it keeps. */
const NO_CHECKPOINT = sequenceNumber(Number.MAX_SAFE_INTEGER);
const ROOT_PAGE: FetchStateItem = { type: "page", prefix: new Uint8Array(0) };

/**
 * A replica that was found to be wrong, while there is nothing to repair it towards (protocol rule 9.5). It says nothing of
 * its own, asks for a certificate, and orders a checkpoint where none comes. The second repair in a row is towards one above
 * all that went wrong, so that it is not executed again; and each is waited for longer, for what recurs at once is a fault of the
 * service or the machine, which no repair mends.
 */
export class Quarantine {
  readonly #o: QuarantineOptions;
  /** The least number of a checkpoint that helps. */
  readonly #least: SequenceNumber;
  /** The highest executed number that each member has told. */
  readonly #executed = new Map<ReplicaId, SequenceNumber>();
  #best: CheckpointCertificate | undefined;
  #asks = 0;
  #orderedAbove: SequenceNumber | undefined;
  #isSearching = false;
  #isOver = false;

  constructor(options: QuarantineOptions) {
    this.#o = options;
    const { record, known } = options;
    this.#least = sequenceNumber(record.attempts <= 1 ? 1 : Math.max(1, record.upTo));
    this.#best = known;
  }

  get status(): QuarantineStatus {
    const { record } = this.#o;
    return { upTo: record.upTo, attempt: record.attempts, isGivenUp: this.#pauseMs === undefined };
  }

  /** To be called once, when frames can be sent. */
  start(): void {
    const pauseMs = this.#pauseMs;
    if (pauseMs === undefined) return;
    if (pauseMs === 0) return this.#search();
    this.#o.ports.startTimer("install", pauseMs, () => this.#guarded(() => this.#search()));
  }

  /** Nothing happens any more. */
  stop(): void {
    this.#isOver = true;
    this.#o.ports.cancelTimer("install");
  }

  /**
   * A frame from the replica at the other end of an authenticated link; most have nothing to say to it.
   *
   * @returns false when no correct replica sends such a thing: the link is to be cut.
   */
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): boolean {
    let isCorrect = true;
    this.#guarded(() => {
      if (frame.type === "stable-checkpoint" || frame.type === "below-history")
        isCorrect = this.#onCertificate(peer, frame.checkpoint);
      else if (frame.type === "signed" && frame.envelope.message.type === "status")
        this.#onStatus(peer, frame.envelope);
    });
    return isCorrect;
  }

  get #others(): ReplicaId[] {
    const { keys, epochs } = this.#o;
    const { self } = signerIn(keys, epochs.membership);
    return epochs.membership.members.map(({ id }) => id).filter((id) => id !== self);
  }

  get #pauseMs(): number | undefined {
    const { record, isRestart } = this.#o;
    return isRestart ? 0 : REPAIR_PAUSES_MS[Math.max(0, record.attempts - 1)];
  }

  #onCertificate(peer: ReplicaId, checkpoint: CheckpointCertificate): boolean {
    const { verifier, epochs, onRejection } = this.#o;
    if (checkpoint.seq <= (this.#best?.seq ?? 0)) return true;
    const judge = new EpochVerifier(verifier, epochs);
    if (!judge.isKnown(checkpoint.epoch)) return true;
    const outside = outOfEpoch(epochs, checkpoint);
    if (outside !== undefined) {
      onRejection({ from: peer, code: "ingress.out-of-epoch", ...outside });
      return true;
    }
    const verified = judge.verifyCheckpointCertificate(checkpoint);
    if (verified === undefined) {
      onRejection({ from: peer, code: "ingress.bad-certificate" });
      return false;
    }
    this.#best = verified;
    if (this.#isSearching) this.#endIfFound();
    return true;
  }

  /** A signature is looked at only for what is news. */
  #onStatus(peer: ReplicaId, envelope: Extract<ReplicaFrame, { type: "signed" }>["envelope"]): void {
    const { message, from } = envelope;
    if (from !== peer || message.type !== "status" || message.executed <= (this.#executed.get(peer) ?? 0)) return;
    if (this.#o.verifier.verifyEnvelope(envelope, this.#o.epochs.membership) !== undefined)
      this.#executed.set(peer, message.executed);
  }

  #search(): void {
    this.#isSearching = true;
    if (this.#endIfFound()) return;
    const { ports } = this.#o;
    const fetch = {
      ...{ seq: NO_CHECKPOINT, request: this.#asks, bytesMax: STATE_CHUNK_BYTES },
      takesDeflated: false,
      items: [ROOT_PAGE],
    };
    ports.sendToReplicas(this.#others, { type: "fetch-state", fetch });
    this.#asks += 1;
    if (this.#asks >= ORDER_AFTER_ASKS) this.#order();
    ports.startTimer("install", ASK_EVERY_MS, () => this.#guarded(() => this.#search()));
  }

  #endIfFound(): boolean {
    const least = Math.max(this.#least, this.#asks < ORDER_AFTER_ASKS ? this.#o.preferred : 0);
    if (this.#best === undefined || this.#best.seq < least) return false;
    this.stop();
    this.#o.onTarget(this.#best);
    return true;
  }

  /**
   * Above what f+1 members say is executed, hence a correct one. What is refused because it is too near to the last
   * checkpoint is one number more, so that the next one is less near.
   */
  #order(): void {
    const { epoch, membership } = this.#o.epochs;
    // A member may order checkpoints (protocol rule 9.1); an observer waits for those of others.
    const orderSigner = this.#o.keys.orderSignerIn(membership);
    if (orderSigner === undefined) return;
    const told = [...this.#executed.values()].sort((a, b) => b - a);
    const above = told[weakQuorumSize(membership) - 1];
    if (above === undefined || (above === this.#orderedAbove && this.#asks % ORDER_AGAIN_ASKS !== 0)) return;
    this.#orderedAbove = above;
    const { request } = orderSigner.signCheckpoint({ epoch, above });
    this.#o.ports.sendToReplicas(this.#others, { type: "request", request });
  }

  #guarded(act: () => void): void {
    if (this.#isOver) return;
    try {
      act();
    } catch (error) {
      this.stop();
      this.#o.onFatal(error instanceof Error ? error : new Error(String(error)));
    }
  }
}
