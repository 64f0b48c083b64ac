import type {
  CheckpointCertificate,
  Digest,
  PreparedCertificate,
  VerifiedNewView,
  VerifiedViewChange,
  ViewChangeComposer,
} from "@quorate/protocol";
import type { TimeOutOptions } from "./time-out.ts";

export interface ViewChangingOptions extends TimeOutOptions {
  readonly composer: ViewChangeComposer;
  /** L of genesis. */
  readonly windowSize: number;
  /** The digest of the null batch. */
  readonly nullDigest: Digest;
  /** Nothing that this replica asks to leave is left, until `unmute`: no view has failed for it (protocol rule 8.5). */
  readonly isMute?: boolean;
}

/** What the log held of views; see `ViewChanging` and protocol rule 8.2. */
export interface RestoredViews {
  /** The last own VIEW-CHANGE, for resending it as it was. */
  readonly viewChange: VerifiedViewChange | undefined;
  /** The NEW-VIEW of the view entered last; undefined in view 0. */
  readonly newView: VerifiedNewView | undefined;
}

/** What the replica has promised so far, for a VIEW-CHANGE. */
export interface Promises {
  readonly stable: CheckpointCertificate;
  /** Of the highest view for each number above `stable`, ascending by number. */
  readonly prepared: readonly PreparedCertificate[];
}
