import { assertNever, type CheckpointCertificate, type LogRecord } from "@quorate/protocol";

/**
 * What a log must hold, beside what is above it, for a replica to which the state at a stable checkpoint was brought: that the
 * checkpoint is stable, and what was promised in view changes and while mute, which no checkpoint ends.
 *
 * @param records the whole log, in its order.
 */
export function logAfterInstallation(
  records: readonly LogRecord[],
  stable: CheckpointCertificate,
): readonly LogRecord[] {
  const { seq: at } = stable;
  const newest = new Map<LogRecord["type"], LogRecord>();
  for (const record of records)
    switch (record.type) {
      case "view-change":
      case "new-view":
      case "mute":
      case "released":
        newest.set(record.type, { ...record, at });
        break;
      case "stable":
      case "pre-prepared":
      case "prepared":
        break;
      default:
        assertNever(record);
    }
  return [{ type: "stable", checkpoint: stable }, ...newest.values()];
}
