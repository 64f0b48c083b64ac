import type { CheckpointCertificate } from "./certificates.ts";
import type { ViewNumber } from "./ids.ts";
import type { Membership } from "./membership.ts";

/** The ground a replica stands on: genesis, recovery, state transfer and a new epoch all start from one. */
export interface Base {
  /** The highest stable checkpoint whose state is held: its number is h. */
  readonly stable: CheckpointCertificate;
  readonly membership: Membership;
  readonly view: ViewNumber;
}
