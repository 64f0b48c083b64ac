import type { VerifiedReply } from "@quorate/protocol";
import type { HostObserver } from "@quorate/server/host";
import type { MemoryStore } from "@quorate/storage/memory";

/** Bugs that a test builds into a simulation around the production code, to see that a checker finds them. */
export interface Plant {
  /** What is left of a store after a crash; `crashed` is what should be. */
  readonly recoveredStore?: (crashed: MemoryStore) => MemoryStore;
  /** What a replica's observers hear of an execution. */
  readonly onExecuted?: (tell: NonNullable<HostObserver["onExecuted"]>) => NonNullable<HostObserver["onExecuted"]>;
  /** What a client makes of one reply. */
  readonly replies?: (reply: VerifiedReply) => readonly VerifiedReply[];
}
