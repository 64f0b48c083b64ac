import type { JoinClaim } from "@quorate/protocol";
import { ConfigurationError, type PreparedChange } from "@quorate/server";
import { nextId } from "../../fetch-claim.ts";
import { printProgress } from "../terminal.ts";
import type { Operator, OperatorFlags } from "./operator.ts";

/** How a joiner is found. */
export interface JoinerFlags extends OperatorFlags {
  readonly from: string;
}

/**
 * The change by which the replica at an address becomes a member, signed by its own key. It gets the lowest id that nobody ever had.
 *
 * @throws ClaimError when it gives no claim, ConfigurationError when there are no ids left.
 */
export async function proposeJoin({ client, leftMs }: Operator, { from }: JoinerFlags): Promise<JoinClaim> {
  const id = nextId(client.epochs.link, client.genesis);
  printProgress(`asks ${from} for its claim to become replica ${id}`);
  return client.fetchClaim(from, id, leftMs());
}

/**
 * An order of a join with a newer claim of the joiner: the approvals hold, for they are not about how far it has come.
 *
 * @throws ClaimError when it gives none, ConfigurationError when it is another joiner's, or of another epoch.
 */
export async function refreshJoin(
  { client, leftMs }: Operator,
  prepared: PreparedChange,
  { from }: JoinerFlags,
): Promise<PreparedChange> {
  const { change, epoch } = prepared;
  if (change.type !== "join")
    throw new ConfigurationError("configuration.inconsistent", "--from is for the order of a join, and this is none");
  await client.follow(undefined, leftMs());
  // The order's epoch is over: what became of it is told when it is submitted.
  if (client.epochs.epoch !== epoch) return prepared;
  const claim = await client.fetchClaim(from, change.member.id, leftMs());
  const { publicKey, address } = claim.change.member;
  if (publicKey === change.member.publicKey && address === change.member.address) return { ...prepared, ...claim };
  throw new ConfigurationError(
    "configuration.foreign",
    `at ${from} is a joiner with the key ${publicKey} and the address ${address}, the order is for ${change.member.publicKey} at ${change.member.address}`,
  );
}
