import type { Codec } from "@quorate/codec";
import type { ClusterId, Epoch, PublicKey, ReplicaId } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { History } from "@quorate/storage";
import { type NumberRange, readHistory } from "./history-reading.ts";

/** One number of the ordered log on its way to whoever asked. */
export type LogPageItem =
  /** The committed entry as it is encoded in the history, in base64: it proves itself. */
  { readonly seq: number; readonly entry: string } | { readonly seq: number; readonly problem: string };

/** A part of the ordered log of a running replica: `GET /log?from=N&to=N&above=EPOCH`. */
export interface LogPage {
  readonly cluster: ClusterId;
  /** The first key of the replica, and who it is now; null: it observes. */
  readonly owner: PublicKey;
  readonly replica: ReplicaId | null;
  /** The lowest and the highest number in the history; left out while there is none. */
  readonly first?: number;
  readonly last?: number;
  readonly items: readonly LogPageItem[];
  /**
   * The links of the epochs above the one that was asked with, as many as fit into one answer, each in base64: by them the entries
   * are judged. Left out where there are none.
   */
  readonly links?: readonly string[];
  /** Where the next page begins; left out at the end of what was asked for. */
  readonly next?: number;
}

/** A page ends with the entry that reaches one of these: what is read for it, the replica does not do meanwhile. */
export const LOG_PAGE_BYTES_MAX: number = 512 * 1024;
export const LOG_PAGE_ITEMS_MAX = 128;

/** Where a page is read from. */
export interface LogPageSource {
  readonly cluster: ClusterId;
  readonly owner: PublicKey;
  readonly replica: ReplicaId | null;
  readonly history: Pick<History, "get" | "first" | "last">;
  readonly executed: number;
  readonly epochs: Pick<EpochChain, "linksAbove">;
  readonly codec: Pick<Codec, "encodeEpochLink">;
}

/** What is asked for: numbers, by somebody who knows the epochs up to `above`. */
export interface LogPageRequest extends NumberRange {
  readonly above: Epoch;
}

/** Makes a page of at least one entry, if there is one. */
export function logPageOf(
  { cluster, owner, replica, history, executed, epochs, codec }: LogPageSource,
  { above, ...range }: LogPageRequest,
): LogPage {
  const links = epochs.linksAbove(above).map((link) => base64(codec.encodeEpochLink(link)));
  const { first, last } = history;
  const items: LogPageItem[] = [];
  let bytesSum = 0;
  let next: number | undefined;
  for (const { seq, bytes, problem } of readHistory(history, executed, range)) {
    if (items.length >= LOG_PAGE_ITEMS_MAX || bytesSum >= LOG_PAGE_BYTES_MAX) {
      next = seq;
      break;
    }
    items.push(bytes === undefined ? { seq, problem } : { seq, entry: base64(bytes) });
    bytesSum += bytes?.length ?? 0;
  }
  return {
    cluster,
    owner,
    replica,
    ...(first !== undefined && { first }),
    ...(last !== undefined && { last }),
    items,
    ...(links.length > 0 && { links }),
    ...(next !== undefined && { next }),
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("base64");
}
