import { type Member, memberOf, type ReplicaId } from "@quorate/protocol";
import { ConfigurationError } from "@quorate/server";
import type { Operator } from "./operator.ts";

/**
 * The member of the latest epoch that an operator means. Only a convenience: the cluster judges the change.
 *
 * @throws ConfigurationError naming those that there are.
 */
export function knownMember({ client }: Operator, id: ReplicaId): Member {
  const { membership } = client.epochs;
  const member = memberOf(membership, id);
  if (member !== undefined) return member;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `replica ${id} is no member in epoch ${membership.epoch}; its members are ${membership.members.map((known) => known.id).join(", ")}`,
  );
}
