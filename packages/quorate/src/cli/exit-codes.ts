/** What the command's exit code tells a script. Documented in the operator's guide; append only. */
export const EXIT: Readonly<
  Record<"ok" | "failed" | "usage" | "noResult" | "absent" | "refused" | "degraded" | "divergent", number>
> = {
  ok: 0,
  /** Configuration, files, ports, or a key or genesis document that the cluster does not serve: the message says what to do. */
  failed: 1,
  /** The command line itself. */
  usage: 2,
  /** No agreed result in time; the outcome may be unknown. */
  noResult: 3,
  /** The key has no value. */
  absent: 4,
  /** The service refused the operation, a compare-and-swap did not swap, a checkpoint is too near to the last, or the cluster refused a change. */
  refused: 5,
  /** `status`, `audit`: some replica is down. */
  degraded: 6,
  /** `audit`: some replica says something else than the others, or stands still because it did. */
  divergent: 7,
};
