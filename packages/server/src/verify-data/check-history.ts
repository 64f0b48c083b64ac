import { historyDigest } from "@quorate/crypto";
import { type ClusterId, type Digest, type Hasher, nextSequenceNumber, sequenceNumber } from "@quorate/protocol";
import { GENESIS_HISTORY_DIGEST } from "@quorate/state-machine";
import type { History, StoreReader } from "@quorate/storage";
import type { Judges } from "../data-reader.ts";
import { readHistory } from "../history-reading.ts";
import { counted, type Looked, type Report } from "./data-check.ts";

/** What the history is compared with; undefined parts are not known. */
export interface HistoryExpectations {
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
  /** h; undefined when the log cannot be read. */
  readonly stable: number | undefined;
  /** Undefined when the state cannot be read. */
  readonly executed: { readonly seq: number; readonly historyDigest: Digest } | undefined;
}

type ReadHistory = Pick<History, "get" | "first" | "last" | "bytes">;

/** Judges every entry, that none is missing, and that execution followed them (protocol rules 4.5 and 9.3). */
export function checkHistory(
  store: Pick<StoreReader, "openHistory">,
  judges: Judges,
  expected: HistoryExpectations,
  report: Report,
): Looked<ReadHistory> {
  const history = store.openHistory();
  const { first, last, bytes } = history;
  const executed = expected.executed?.seq ?? last ?? 0;
  const chain = new DigestChain(expected, first);
  let [entries, bytesRead] = [0, 0];
  for (const item of readHistory(history, executed, { from: 0, to: Number.MAX_SAFE_INTEGER })) {
    entries += 1;
    bytesRead += item.bytes?.length ?? 0;
    const verdict = item.bytes === undefined ? item : judges.entries.judge(item.seq, item.bytes);
    if (verdict.problem !== undefined) report(`number ${item.seq}: ${verdict.problem}`);
    else if ("entry" in verdict && verdict.entry !== undefined) chain.add(item.seq, verdict.entry.batch.digest);
  }
  reportMissingEnds(history, executed, expected.stable, report);
  const isWhole = chain.end(report);
  if (first === undefined) return { found: "no entry yet", value: history };
  if (bytesRead !== bytes && isWhole !== "damaged") report(`expected ${bytes} bytes by its tally, found ${bytesRead}`);
  const link = isWhole === "proven" ? ", which lead to the state" : "";
  return {
    found: `${counted(entries, "entry", "entries")} from ${first} to ${last} of ${counted(bytesRead, "byte")}${link}`,
    value: history,
  };
}

/** Between h and what was executed nothing may have been trimmed. */
function reportMissingEnds(
  { first, last }: ReadHistory,
  executed: number,
  stable: number | undefined,
  report: Report,
): void {
  if (stable !== undefined && executed > stable && (first ?? executed + 1) > stable + 1)
    report(`expected entries from ${stable + 1} on, behind the stable checkpoint; found ${first ?? "none"}`);
  if (last !== undefined && last < executed)
    report(`expected entries up to ${executed}, which was executed last; found them up to ${last}`);
}

/** The chain of digests over the batches (protocol rule 5.1): if the history begins with the first, its end is in the state. */
class DigestChain {
  readonly #expected: HistoryExpectations;
  #digest: Digest | undefined;
  #next = sequenceNumber(1);

  constructor(expected: HistoryExpectations, first: number | undefined) {
    this.#expected = expected;
    this.#digest = first === 1 ? GENESIS_HISTORY_DIGEST : undefined;
  }

  add(seq: number, batch: Digest): void {
    const { cluster, hasher, executed } = this.#expected;
    if (this.#digest === undefined || executed === undefined || seq > executed.seq) return;
    if (seq !== this.#next) {
      this.#digest = undefined;
      return;
    }
    this.#digest = historyDigest(hasher, cluster, this.#digest, this.#next, batch);
    this.#next = nextSequenceNumber(this.#next);
  }

  /** `damaged`: an entry is missing or wrong; `unknown`: the beginning is gone, which is no fault. */
  end(report: Report): "proven" | "unknown" | "damaged" {
    const { executed } = this.#expected;
    if (executed === undefined || executed.seq === 0) return "unknown";
    if (this.#digest === undefined) return this.#next > 1 ? "damaged" : "unknown";
    if (this.#next <= executed.seq) return "damaged";
    if (this.#digest === executed.historyDigest) return "proven";
    report(
      `the entries up to ${executed.seq} lead to the digest ${this.#digest}, the state says that ${executed.historyDigest} was executed`,
    );
    return "damaged";
  }
}
