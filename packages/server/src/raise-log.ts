import type { Codec } from "@quorate/codec";
import { type CheckpointCertificate, invariant, type LogRecord, placeOf, sequenceNumber } from "@quorate/protocol";
import { logAfterInstallation } from "@quorate/replica";
import type { ReplicaStore } from "@quorate/storage";

/**
 * Writes into the log that a checkpoint is stable whose state did not come by execution, with what was promised in view changes
 * and while mute, and cuts what is below. Promises above it stay. The history goes if it ends below: with a gap it would be none.
 */
export function raiseLog(store: ReplicaStore, codec: Codec, stable: CheckpointCertificate): void {
  for (const record of logAfterInstallation(logOf(store, codec), stable))
    store.log.append(placeOf(record).seq, codec.encodeLogRecord(record));
  store.log.cut(sequenceNumber(stable.seq - 1));
  if ((store.history.last ?? 0) < stable.seq) store.history.clear();
}

function logOf(store: ReplicaStore, codec: Codec): LogRecord[] {
  return [...store.log.entries()].map(({ seq, record }) => {
    const decoded = codec.decodeLogRecord(record);
    invariant(decoded.ok, "host.log-does-not-decode", { seq });
    return decoded.value;
  });
}
