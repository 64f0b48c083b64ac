import {
  type Epoch,
  invariant,
  type PrePrepare,
  type PreparedClaim,
  type VerifiedViewChange,
  type ViewChange,
  type ViewChangeComposer,
  type ViewNumber,
  viewChangeFault,
} from "@quorate/protocol";
import type { Promises } from "./view-changing-options.ts";

/** The place that a VIEW-CHANGE is for, and what genesis bounds it by. */
export interface ViewChangePlace {
  readonly epoch: Epoch;
  readonly view: ViewNumber;
  readonly windowSize: number;
}

/** What this replica says of its promises as it leaves for a view: it claims what it can prove (OSDI'99 §4.4). */
export function composeViewChange(
  { epoch, view, windowSize }: ViewChangePlace,
  { stable, prepared }: Promises,
  composer: ViewChangeComposer,
): VerifiedViewChange {
  const message: ViewChange = {
    type: "view-change",
    epoch,
    view,
    stable: { seq: stable.seq, stateRoot: stable.stateRoot },
    prepared: prepared.map(({ prePrepare }) => claimOf(prePrepare.message)),
  };
  const fault = viewChangeFault(message, windowSize);
  invariant(fault === undefined, "view-change.own-malformed", { fault: String(fault) });
  return composer.viewChange(message, stable, prepared);
}

function claimOf({ seq, view, digest }: PrePrepare): PreparedClaim {
  return { seq, view, digest };
}
