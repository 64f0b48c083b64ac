import type { Digest, DigestedCertifiedBatch } from "@quorate/protocol";
import type { Execution, Executor } from "@quorate/state-machine";

/** What a host has its decided batches executed by, and reads what came of them from. */
export interface HostExecution
  extends Pick<Executor, "executed" | "lastCheckpoint" | "standing" | "isAdmitted" | "replyTo" | "collect"> {
  /** Executes the batch that follows, or puts it off. */
  execute(seq: Execution["seq"], batch: DigestedCertifiedBatch): HostExecuted;
}

/** What executing a batch brought. */
export interface HostExecuted
  extends Pick<Execution, "replies" | "progress" | "checkpoint" | "activation" | "changes"> {
  /** Undefined of a batch that was put off, as is what it put out. */
  readonly historyDigest: Digest | undefined;
  readonly executionDigest: Digest | undefined;
}
