import type { VerifiedNewView, ViewNumber } from "@quorate/protocol";
import type { LeaveCause } from "./leave-cause.ts";

/** Leave the view: stop ordering, then call `ViewChanging.leave` with this target and what was promised. */
export interface LeaveStep {
  readonly type: "leave";
  readonly target: ViewNumber;
  readonly cause: LeaveCause;
}

/** The view is entered: order in it, starting with its proposals. */
export interface EnterStep {
  readonly type: "enter";
  readonly newView: VerifiedNewView;
}

/** What a message or a time-out of this sub-protocol leads to; the replica does it. */
export type ViewChangeStep = LeaveStep | EnterStep;
