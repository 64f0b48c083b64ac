import type { RestoredOrdering, RestoredSlot } from "@quorate/pbft-core";
import {
  assertNever,
  type Base,
  type Digest,
  invariant,
  type PrePrepare,
  type Prepare,
  type SequenceNumber,
  type VerifiedBatch,
  type VerifiedCheckpointCertificate,
  type VerifiedCommittedEntry,
  type VerifiedEnvelope,
  type VerifiedNewView,
  type VerifiedPreparedCertificate,
  type VerifiedReplyStable,
  type VerifiedViewChange,
  type ViewNumber,
} from "@quorate/protocol";
import type { RestoredMuteness } from "./muteness.ts";
import type { Recovery } from "./replica-options.ts";

/** A `LogRecord` whose signatures were verified again: what the own disk says is parsed like what others say. */
export type VerifiedLogRecord =
  | { readonly type: "pre-prepared"; readonly envelope: VerifiedEnvelope<PrePrepare>; readonly batch: VerifiedBatch }
  | {
      readonly type: "prepared";
      readonly certificate: VerifiedPreparedCertificate;
      /** The PREPAREs that the certificate stands for. */
      readonly prepares: readonly VerifiedEnvelope<Prepare>[];
    }
  | { readonly type: "stable"; readonly checkpoint: VerifiedCheckpointCertificate }
  | { readonly type: "view-change"; readonly viewChange: VerifiedViewChange }
  | { readonly type: "new-view"; readonly newView: VerifiedNewView }
  | { readonly type: "mute"; readonly replies: readonly VerifiedReplyStable[] }
  | { readonly type: "released"; readonly nonce: Digest };

/** What the disk held after a crash or a stop. */
export interface RecoveredDisk {
  /** In the order of the log. */
  readonly records: readonly VerifiedLogRecord[];
  /** The last number whose effects are in the durable state. */
  readonly executed: SequenceNumber;
  /** The own history above `executed`, ascending. */
  readonly committed: readonly VerifiedCommittedEntry[];
  /** The disk was made after another had been lost, with this nonce. */
  readonly lossNonce?: Digest | undefined;
  /** It has rejoined since, in an epoch that has begun: what it promised before the loss was of epochs that are over. */
  readonly hasRejoined?: boolean | undefined;
  /**
   * The state at `executed` is being brought to this replica. Until it is here, and what was ordered meanwhile is executed,
   * the replica votes in ordering and view changes unless it is mute, and in nothing else (protocol rule 10.2).
   */
  readonly awaitsState?: boolean | undefined;
  /** Of the state after `executed`; see `Status.executionDigest`. */
  readonly executionDigest?: Digest | undefined;
  /**
   * Where the change takes effect that was ordered in the epoch of this replica, up to `executed` (protocol rule 11.2): at or above
   * `executed`, for the replica lives until the checkpoint at that number is stable. Undefined if none was. For one that
   * awaits its state: where the epoch may end at the earliest, as far as it can tell, for nothing above is voted for.
   */
  readonly activation?: SequenceNumber | undefined;
  /** It was quarantined, and signs no CHECKPOINT up to there (protocol rule 9.5). */
  readonly silentUpTo?: SequenceNumber | undefined;
  /** It was quarantined, and says nothing of its outputs up to there: at or above `silentUpTo`. */
  readonly outputsSilentUpTo?: SequenceNumber | undefined;
}

/**
 * The ground and the promises to start from: the replica stands where it stood, and every promise that it made is
 * known to it again (protocol rules 8.1 and 8.2).
 *
 * @param start the base of a replica that has promised nothing in its epoch: genesis, or what a later epoch begins with. All records
 *   are of that epoch: what was promised in one that is over binds nobody.
 */
export function recover(start: Base, disk: RecoveredDisk): { readonly base: Base; readonly recovery: Recovery } {
  const { executed, committed, executionDigest, silentUpTo, outputsSilentUpTo, activation } = disk;
  const promises = readPromises(disk.records);
  const stable = promises.stable ?? start.stable;
  invariant(executed >= stable.seq, "recovery.state-below-stable", { executed, h: stable.seq });
  const { newView, viewChange } = promises;
  const view = newView?.newView.envelope.message.view ?? start.view;
  return {
    base: { ...start, stable, view },
    recovery: {
      executed,
      executionDigest,
      silentUpTo,
      outputsSilentUpTo,
      committed,
      views: { newView, viewChange },
      ...(disk.awaitsState === true && { awaitsState: true }),
      ...(activation !== undefined && { activation }),
      muteness: disk.lossNonce === undefined ? undefined : mutenessOf(disk.lossNonce, promises, disk.hasRejoined),
      ordering: {
        slots: slotsOf(promises, stable.seq, view),
        prepared: preparedOf(promises, stable.seq),
        voted: votedOf(promises, stable.seq, view),
      },
    },
  };
}

/** The records by what they promise: the newest of a kind, or all by their number and view. */
interface LoggedPromises {
  stable: VerifiedCheckpointCertificate | undefined;
  viewChange: VerifiedViewChange | undefined;
  newView: VerifiedNewView | undefined;
  /** What others answered after the loss, and of which loss the replica is released. */
  replies: readonly VerifiedReplyStable[];
  released: Digest | undefined;
  readonly accepted: Map<string, Extract<VerifiedLogRecord, { type: "pre-prepared" }>>;
  readonly prepared: Map<string, Extract<VerifiedLogRecord, { type: "prepared" }>>;
}

function readPromises(records: readonly VerifiedLogRecord[]): LoggedPromises {
  const promises: LoggedPromises = {
    stable: undefined,
    viewChange: undefined,
    newView: undefined,
    replies: [],
    released: undefined,
    accepted: new Map(),
    prepared: new Map(),
  };
  for (const record of records) {
    switch (record.type) {
      case "stable":
        if (record.checkpoint.seq > (promises.stable?.seq ?? 0)) promises.stable = record.checkpoint;
        break;
      case "view-change":
        promises.viewChange = record.viewChange;
        break;
      case "new-view":
        promises.newView = record.newView;
        break;
      case "mute":
        promises.replies = record.replies;
        break;
      case "released":
        promises.released = record.nonce;
        break;
      case "pre-prepared":
        promises.accepted.set(placeOf(record.envelope.message), record);
        break;
      case "prepared":
        promises.prepared.set(placeOf(record.certificate.prePrepare.message), record);
        break;
      default:
        assertNever(record);
    }
  }
  return promises;
}

/** Unless a record says otherwise, or the cluster, it is mute: what was lost cannot be remembered. */
function mutenessOf(nonce: Digest, { replies, released }: LoggedPromises, hasRejoined = false): RestoredMuteness {
  return { nonce, isReleased: hasRejoined || released === nonce, replies };
}

/** The slots of the view that the replica is in. */
function slotsOf({ accepted, prepared }: LoggedPromises, stable: SequenceNumber, view: ViewNumber): RestoredSlot[] {
  return [...accepted.values()]
    .map(({ envelope, batch }) => ({ prePrepare: envelope, batch, prepares: preparesOf(envelope.message, prepared) }))
    .filter(({ prePrepare: { message } }) => message.view === view && message.seq > stable)
    .sort((a, b) => a.prePrepare.message.seq - b.prePrepare.message.seq);
}

/** What it voted for in earlier views. */
function votedOf({ accepted }: LoggedPromises, stable: SequenceNumber, view: ViewNumber): RestoredOrdering["voted"] {
  return [...accepted.values()]
    .filter(({ envelope: { message }, batch }) => isLeft(message, stable, view) && batch.requests.length > 0)
    .map(({ envelope: { message }, batch }) => ({ view: message.view, seq: message.seq, batch }));
}

function isLeft(voted: PrePrepare, stable: SequenceNumber, view: ViewNumber): boolean {
  return voted.view < view && voted.seq > stable;
}

function preparesOf(
  accepted: PrePrepare,
  prepared: LoggedPromises["prepared"],
): readonly VerifiedEnvelope<Prepare>[] | undefined {
  const record = prepared.get(placeOf(accepted));
  if (record === undefined) return undefined;
  const { seq, digest } = record.certificate.prePrepare.message;
  invariant(digest === accepted.digest, "recovery.prepared-another-than-pre-prepared", { seq });
  return record.prepares;
}

/** Of each number the certificate of the highest view, with its body (protocol rule 7.1). */
function preparedOf({ accepted, prepared }: LoggedPromises, stable: SequenceNumber): RestoredOrdering["prepared"] {
  const highest = new Map<SequenceNumber, VerifiedPreparedCertificate>();
  for (const { certificate } of prepared.values()) {
    const { seq, view } = certificate.prePrepare.message;
    const place = placeOf(certificate.prePrepare.message);
    invariant(seq <= stable || accepted.has(place), "recovery.prepared-without-pre-prepared", { seq, view });
    const before = highest.get(seq)?.prePrepare.message.view ?? -1;
    if (seq > stable && view > before) highest.set(seq, certificate);
  }
  return [...highest.values()].map((certificate) => ({
    certificate,
    batch: accepted.get(placeOf(certificate.prePrepare.message))?.batch,
  }));
}

function placeOf({ view, seq }: PrePrepare): string {
  return `${view}/${seq}`;
}
