import type { Executor } from "@quorate/state-machine";

/**
 * Whether the root that the replica keeps, and signs at checkpoints, is that of the state on its disk. The one place of
 * `verify-data` that knows how roots are made: it reads the whole state.
 */
export function isStateRootRight(executor: Pick<Executor, "verifyStateRoot">): boolean {
  return executor.verifyStateRoot();
}
