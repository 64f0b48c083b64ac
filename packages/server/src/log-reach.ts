import { type CheckpointCertificate, outOfEpoch } from "@quorate/protocol";
import type { EpochOptions } from "./host-options.ts";
import type { Installation } from "./installation-record.ts";

/**
 * What the log calls stable cannot be gone back from, unless the history leads there from the target. And what was taken for one while
 * the end of its epoch was not known here may be none.
 */
export function withinReach(installation: Installation, options: EpochOptions): Installation {
  const stable = stableInLog(options);
  const { target } = installation;
  const from = target.seq;
  if (stable === undefined) return installation;
  if (outOfEpoch(options.epochs, target) !== undefined) return { ...installation, target: stable };
  if (stable.seq <= from) return installation;
  const isBridged = !installation.distrustsEntries && leadsTo(options.store, from, stable.seq);
  return isBridged ? installation : { ...installation, target: stable };
}

/** Whether the history has all batches above `from` up to `to`. It has no gaps. */
export function leadsTo({ history }: EpochOptions["store"], from: number, to: number): boolean {
  return history.first !== undefined && history.first <= from + 1 && (history.last ?? 0) >= to;
}

/**
 * The stable checkpoint that the log starts from: the highest of this epoch, or the one that the epoch began with; undefined for
 * that of genesis.
 */
export function stableInLog({ store, codec, verifier, epochs }: EpochOptions): CheckpointCertificate | undefined {
  const { membership, link } = epochs;
  const stable = [...store.log.entries()].flatMap(({ record }) => {
    const decoded = codec.decodeLogRecord(record);
    return decoded.ok && decoded.value.type === "stable" ? [decoded.value.checkpoint] : [];
  });
  const ofThisEpoch = stable.filter(({ epoch }) => epoch === membership.epoch);
  const last = ofThisEpoch.sort((a, b) => a.seq - b.seq).at(-1);
  return last === undefined ? link?.certificate : verifier.verifyCheckpointCertificate(last, membership);
}
