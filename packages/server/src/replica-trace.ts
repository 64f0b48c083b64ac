import { decodePlainValue, encodePlainValue } from "@quorate/codec";
import type { ClusterId, Configuration, Genesis, ReplicaId } from "@quorate/protocol";
import type { HostSettings } from "./host-settings.ts";
import type { RecordedSteps } from "./step-recorder.ts";

const FORMAT = "quorate-replica-trace/2";

/**
 * What a replica saw before it came to its end, with all that is needed to run it again as far as `start` is there. It has
 * no key in it: who replays it signs with another. It does have the operations of clients.
 */
export interface ReplicaTrace extends RecordedSteps {
  readonly format: typeof FORMAT;
  /** The program, for people. */
  readonly madeBy: string;
  readonly genesis: Genesis;
  /** K and L of the epoch. */
  readonly configuration: Pick<Configuration, "checkpointInterval" | "windowSize">;
  readonly cluster: ClusterId;
  readonly replica: ReplicaId;
  readonly settings: HostSettings;
  readonly failure: TracedFailure;
}

/** The error that ended the replica. */
export interface TracedFailure {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
}

/** Not the file of a trace, or one of another version; the message says what was expected. */
export class TraceFormatError extends Error {}

/** The trace of a replica as the bytes of a file. */
export function encodeReplicaTrace(trace: Omit<ReplicaTrace, "format">): Uint8Array {
  return encodePlainValue({ format: FORMAT, ...trace });
}

/**
 * Reads the trace of a replica. The file is believed: it is one's own, like a core dump.
 *
 * @throws TraceFormatError
 */
export function decodeReplicaTrace(bytes: Uint8Array): ReplicaTrace {
  const value = decodedOf(bytes);
  if (typeof value !== "object" || value === null || !("format" in value) || value.format !== FORMAT)
    throw new TraceFormatError(`this is no trace of a replica, expected CBOR with the format ${FORMAT}`);
  return value as ReplicaTrace;
}

function decodedOf(bytes: Uint8Array): unknown {
  try {
    return decodePlainValue(bytes);
  } catch {
    return undefined;
  }
}
