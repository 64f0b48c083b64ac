import { type Epoch, epochNumber, type Member, type PublicKey } from "@quorate/protocol";
import type { Cryptography } from "./data-reader.ts";
import { knownEpochs } from "./known-epochs.ts";
import { memberIn, type ReplicaFolder } from "./replica-folder.ts";

/** A replica as it is called: by its id as a member, or an observer, which has none. */
export type ReplicaName = number | "observer";

/** As text: `replica 3`, or `the observer 8a88e3dd`, by its first key. */
export function describeReplica(name: ReplicaName | null, owner: PublicKey | string): string {
  return typeof name === "number" ? `replica ${name}` : `the observer ${owner.slice(0, 8)}`;
}

/** Who the replica of a data folder is by the epochs that its store knows; a replica that runs says it itself. */
export interface Standing {
  /** The latest epoch that is known. */
  readonly epoch: Epoch;
  /** In that epoch; undefined: it is none, and observes. */
  readonly member: Member | undefined;
  /** In that epoch, or in one before. */
  readonly wasMember: boolean;
  /** Its store could be read: of one that is lost it may be a member all the same. */
  readonly isKnown: boolean;
}

/** @throws what `knownEpochs` throws. */
export async function standingOf(folder: ReplicaFolder, cryptography: Cryptography): Promise<Standing> {
  const { epochs, isWhole: isKnown } = await knownEpochs(folder, cryptography);
  const { epoch } = epochs;
  const member = memberIn(epochs.membership, folder);
  let wasMember = false;
  for (let at = 0; at <= epoch && !wasMember; at++) {
    const { members = [] } = epochs.membershipAt(epochNumber(at)) ?? {};
    wasMember =
      memberIn({ members }, folder) !== undefined || members.some(({ publicKey }) => publicKey === folder.owner);
  }
  return { epoch, member, wasMember, isKnown };
}
