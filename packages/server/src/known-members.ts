import type { Epoch, Member, Membership } from "@quorate/protocol";

/** The members of the latest epoch that a replica knows, as its documents have them. */
export interface KnownMembers {
  readonly epoch: Epoch;
  /** The last number before the epoch; 0 for that of genesis. */
  readonly activation: number;
  readonly members: readonly Member[];
}

export function knownMembersOf({ epoch, start, members }: Membership): KnownMembers {
  return { epoch, activation: start?.seq ?? 0, members };
}
