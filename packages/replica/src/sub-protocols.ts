import type { Audit, Checkpointing } from "@quorate/checkpoint";
import type { Ordering } from "@quorate/pbft-core";
import type { Membership } from "@quorate/protocol";
import type { GapFiller } from "@quorate/state-transfer";
import type { ViewChanging } from "@quorate/view-change";
import type { Backlog } from "./backlog.ts";

/** What the mediator joins. They know nothing of each other; only the parts of the mediator see more than one. */
export interface SubProtocols {
  readonly membership: Membership;
  readonly ordering: Ordering;
  readonly checkpointing: Checkpointing;
  readonly audit: Audit;
  readonly gapFiller: GapFiller;
  readonly viewChanging: ViewChanging;
  readonly backlog: Backlog;
}
