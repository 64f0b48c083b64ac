import { describeFrame } from "./describe-frame.ts";
import type { World } from "./world.ts";

const nothing = (): void => undefined;

/** Records that a frame leaves, when the run is drawn. What is returned is to be called when it arrives. */
export function drawn(
  { spaceTime, clock }: World,
  from: string,
  to: string,
  type: string,
  frame: Parameters<typeof describeFrame>[0],
): () => void {
  if (spaceTime === undefined) return nothing;
  const arrow = spaceTime.sent(from, to, type, describeFrame(frame), clock.nowMs);
  return () => {
    arrow.arrivedMs ??= clock.nowMs;
  };
}
