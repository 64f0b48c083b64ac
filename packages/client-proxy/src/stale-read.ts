import type {
  CheckpointCertificate,
  ClientFrame,
  Epoch,
  ReadRefusal,
  ReplicaId,
  SequenceNumber,
  StateQuery,
  StateRead,
} from "@quorate/protocol";
import type { ReadLie } from "./judge-read.ts";

/** Who may be asked: a member by its id, anybody else by the address where it was found. */
export type ReadSource = ReplicaId | string;

/** What is to be read, and of whom (protocol rule 6.2). */
export interface StaleRead {
  readonly query: StateQuery;
  /** The only one to be asked; else one after the other of those that are linked, until one answers. */
  readonly from?: ReadSource;
  /** The oldest checkpoint that will do. */
  readonly atLeast?: SequenceNumber;
  /** An older checkpoint will do than one that an earlier read has come to, or that the latest epoch begins with. */
  readonly mayGoBack?: boolean;
  /** Milliseconds from now after which the read fails; `defaultTimeoutMs` if left out. */
  readonly timeoutMs?: number;
}

/** Why an answer of somebody was no use. */
export type ReadFault =
  | ReadRefusal
  | ReadLie
  /** It did not answer in time. */
  | "silent"
  /** Its checkpoint is older than what was asked for. */
  | "too-old"
  /** Its checkpoint is of an epoch that nobody has proven here. */
  | "unknown-epoch";

/** Who was asked in vain, and the last reason of each. */
export type RefusedReads = ReadonlyMap<ReadSource, ReadFault>;

/** What was read: true of the state at a checkpoint that a quorum of its epoch has signed. */
export interface ProvenRead {
  readonly answer:
    | { readonly type: "values"; readonly values: readonly (Uint8Array | undefined)[] }
    | {
        readonly type: "entries";
        /** Ascending. Each is in the state; that none is left out between them is the word of whoever answered. */
        readonly entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[];
        readonly next: Uint8Array | undefined;
      };
  readonly certificate: CheckpointCertificate;
  readonly from: ReadSource;
  readonly refused: RefusedReads;
}

export type ReadFailureCode =
  /** Everybody who can be asked has refused for good, or lied. */
  | "client.read-refused"
  /** Nobody has given a proven answer in time. */
  | "client.read-unanswered"
  /** Too many reads wait. */
  | "client.overloaded"
  | "client.closed";

export type ReadOutcome =
  | { readonly type: "read"; readonly read: ProvenRead }
  | { readonly type: "failed"; readonly code: ReadFailureCode; readonly refused: RefusedReads };

/** What happens to a `StateReading`; `atMs` is the clock of the client's core. */
export type StateReadingEvent = { readonly atMs: number } & (
  | { readonly type: "read"; readonly call: number; readonly read: StaleRead }
  | { readonly type: "state-read"; readonly from: ReadSource; readonly read: StateRead }
  | { readonly type: "source-up" | "source-down"; readonly source: ReadSource }
  /** The chain of epochs has grown. */
  | { readonly type: "epoch" }
  | { readonly type: "timeout"; readonly token: number }
  /** Settles every read; nothing is sent any more. */
  | { readonly type: "close" }
);

/** What a `StateReading` asks of the world. */
export type StateReadingEffect =
  | { readonly type: "send"; readonly to: ReadSource; readonly frame: ClientFrame }
  /** Somebody answers from an epoch that is not known here: its links are wanted, of it or of anybody. */
  | { readonly type: "epoch-told"; readonly from: ReadSource; readonly epoch: Epoch }
  | { readonly type: "start-timer"; readonly timer: "read"; readonly token: number; readonly afterMs: number }
  | { readonly type: "cancel-timer"; readonly timer: "read" }
  /** The end of a read; exactly one for each. */
  | { readonly type: "settle"; readonly call: number; readonly outcome: ReadOutcome };
