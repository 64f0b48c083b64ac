import { primaryOf, sequenceNumber, viewNumber } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { EpochOptions } from "./host-options.ts";

/** None was left. */
const NO_VIEWS_LEFT = { failed: 0, joined: 0, slow: 0, unfair: 0, "handed-over": 0, rotated: 0 } as const;

/** Of a replica that comes back in the middle of an installation: it knows nothing of where it stood. */
export function unknownStatus({ genesis, epochs }: EpochOptions): ReplicaStatus {
  const view = viewNumber(0);
  return {
    epoch: epochs.epoch,
    activation: undefined,
    view,
    target: view,
    timeOutMs: genesis.timeouts.viewChangeMs,
    primary: primaryOf(epochs.membership, view),
    executed: sequenceNumber(0),
    lowWatermark: sequenceNumber(0),
    highWatermark: sequenceNumber(0),
    pendingRequests: 0,
    viewsLeft: NO_VIEWS_LEFT,
    isStranded: true,
    mute: undefined,
    observer: undefined,
    divergent: [],
  };
}
