import { type Epoch, epochOfRecord, type LogRecord } from "@quorate/protocol";

/**
 * What of a log binds a replica in this epoch: what was promised in it. Votes, views and checkpoints of epochs before are over with
 * them. That a replica was released after it lost its disk stays true (protocol rule 8.5): released in an epoch, it had not
 * come to a later one before the loss. For then it would have had the checkpoint at the activation a; the quorum that
 * brought it there and the quorum that answered share a member that tells the truth, with a stable checkpoint at or above
 * a-L; and a release more than L above that would have been above a, where that epoch has no numbers.
 *
 * @param records a whole log, in its order.
 */
export function logOfEpoch(records: readonly LogRecord[], epoch: Epoch): readonly LogRecord[] {
  return records.flatMap((record): readonly LogRecord[] => {
    if (record.type === "mute")
      return [{ ...record, replies: record.replies.filter(({ envelope }) => envelope.message.epoch === epoch) }];
    return record.type === "released" || epochOfRecord(record) === epoch ? [record] : [];
  });
}
