import type { CheckpointCertificate } from "./certificates.ts";
import type { Limits } from "./genesis.ts";
import {
  EXCERPT_GROUP_BYTES,
  EXCERPT_HEAD_BYTES,
  PROOF_SLOTS_BYTES_MAX,
  STATE_PROOF_EXCERPTS_MAX,
  type StateProof,
} from "./state-proof.ts";

/** The longest key of a service, in bytes. */
export const STATE_KEY_BYTES_MAX = 1024;
/** The most keys that one read asks for, and the most entries of a range that it brings. */
export const STATE_READ_KEYS_MAX = 64;
/** What an answer has of keys, values and proofs, unless one single entry is larger. */
export const STATE_READ_BYTES: number = 512 * 1024;

/** What is to be read of the service's part of the state. Other parts have no names here (docs/decisions/0050). */
export type StateQuery =
  /** The values of some keys: 1 to `STATE_READ_KEYS_MAX`. */
  | { readonly type: "keys"; readonly keys: readonly Uint8Array[] }
  /** The first entries with `from ≤ key < to` in the order of bytes; `to` undefined means to the end. */
  | {
      readonly type: "range";
      readonly from: Uint8Array;
      readonly to: Uint8Array | undefined;
      /** 1 to `STATE_READ_KEYS_MAX`. */
      readonly limit: number;
    };

/** Asks one replica for what it has at its last stable checkpoint (protocol rule 6.2). Not signed: a link is authenticated. */
export interface ReadState {
  /** Comes back in the answer. */
  readonly id: number;
  readonly query: StateQuery;
}

/** A value with what shows that it is, or that nothing is, in the state. */
export interface ProvenValue {
  /** Undefined where there is nothing. */
  readonly value: Uint8Array | undefined;
  readonly proof: StateProof;
}

/** An entry with what shows that it is in the state. */
export interface ProvenEntry {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly proof: StateProof;
}

/** Why a replica does not answer a read. A word of one replica, believed by nobody. */
export type ReadRefusal =
  /** No checkpoint above genesis is stable yet. */
  | "no-checkpoint"
  /** Its state is being brought to it, repaired, or is that of an epoch that is just ending. */
  | "no-state"
  /** This client, or all together, have asked for too much. */
  | "over-budget"
  /** The service does not show a key of these to this client. */
  | "not-readable"
  /** All keys together have more than one answer may have: ask for fewer at once. */
  | "too-large";

/** The answer to a read. What it shows it shows of the state root that the certificate names. */
export type StateRead = { readonly id: number } & (
  | {
      readonly type: "values";
      readonly certificate: CheckpointCertificate;
      /** One for each key, in the order asked. */
      readonly values: readonly ProvenValue[];
    }
  | {
      readonly type: "entries";
      readonly certificate: CheckpointCertificate;
      /** Ascending. Each is proven; that none is left out between them is not (docs/decisions/0031). */
      readonly entries: readonly ProvenEntry[];
      /** Where the range goes on; undefined at its end. */
      readonly next: Uint8Array | undefined;
    }
  | { readonly type: "unavailable"; readonly reason: ReadRefusal }
);

/** The bytes of a proof, as a budget counts them. */
export function proofBytes({ excerpts, slots }: StateProof): number {
  return excerpts.length * (EXCERPT_HEAD_BYTES + EXCERPT_GROUP_BYTES) + (slots?.length ?? 0);
}

/** The bytes of keys, values and proofs of an answer, which are what a budget is about. */
export function readBytes(
  read:
    | Pick<Extract<StateRead, { readonly type: "values" }>, "type" | "values">
    | Pick<Extract<StateRead, { readonly type: "entries" }>, "type" | "entries">,
): number {
  const entries: readonly (ProvenValue | ProvenEntry)[] = read.type === "values" ? read.values : read.entries;
  let bytes = 0;
  for (const entry of entries) {
    bytes += (entry.value?.length ?? 0) + proofBytes(entry.proof);
    if ("key" in entry) bytes += entry.key.length;
  }
  return bytes;
}

/** The most content of any answer: so that any entry fits alone. */
export function stateReadBytesMax({ requestBytesMax }: Pick<Limits, "requestBytesMax">): number {
  return Math.max(STATE_READ_BYTES, STATE_KEY_BYTES_MAX + requestBytesMax + PROOF_BYTES_MAX);
}

const PROOF_BYTES_MAX = STATE_PROOF_EXCERPTS_MAX * (EXCERPT_HEAD_BYTES + EXCERPT_GROUP_BYTES) + PROOF_SLOTS_BYTES_MAX;
