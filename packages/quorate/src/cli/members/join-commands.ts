import {
  epochNumber,
  type JoinClaim,
  type Member,
  type ReconfigurationChange,
  type ReplicaId,
} from "@quorate/protocol";
import { ConfigurationError } from "@quorate/server";
import { parseAddress, TransportError } from "@quorate/transport";
import { type Command, InvalidArgumentError } from "commander";
import { ClaimError } from "../../claim-request.ts";
import { printJson, printLine, printProgress } from "../terminal.ts";
import { CHANGE_EXIT_CODES, changeExitCodes, runChange, withChangeFlags } from "./change-command.ts";
import { type JoinerFlags, proposeJoin } from "./claims.ts";
import { describeChange } from "./describe-change.ts";
import {
  describeMembers,
  type IssueFlags,
  membersBefore,
  orderOrWrite,
  type Proposal,
  thresholds,
} from "./issue-change.ts";
import { knownMember } from "./known-member.ts";
import { memberArgument } from "./leave-commands.ts";
import { CHANGE_TIMEOUT_MS, type Operator, openOperator, withOperatorFlags } from "./operator.ts";

export const FROM_FLAG = "--from <host:port>";
const FROM_MEANING = "where the replica is that `quorate join` runs, as others dial it";

/** `quorate members add`: the replica at an address becomes a member. */
export function addAddCommand(members: Command): void {
  withChangeFlags(
    members
      .command("add")
      .description("make a replica a member that follows the cluster, as `quorate join` has it do")
      .requiredOption(FROM_FLAG, FROM_MEANING, addressArgument),
  )
    .addHelpText("after", `\nExample:\n  quorate members add --from 10.0.0.5:7000\n\n${CHANGE_EXIT_CODES}`)
    .action((flags: JoinerFlags & IssueFlags) => runChange(flags, (operator) => proposeJoin(operator, flags)));
}

/** `quorate members replace`: a replica that follows the cluster takes the place of a member, in two epochs. */
export function addReplaceCommand(members: Command): void {
  withOperatorFlags(
    members
      .command("replace")
      .description("have a replica that follows the cluster join, and when it is a member another one leave")
      .argument("<lost>", "which member leaves", memberArgument)
      .requiredOption(FROM_FLAG, FROM_MEANING, addressArgument),
    "the key pair of an admin, repeat for as many as must sign; that in the folder unless given",
    2 * CHANGE_TIMEOUT_MS,
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members replace 2 --from 10.0.0.5:7000\n\nInterrupted, it goes on where it was when it is run again. Where the admins' keys are apart, use `add --out` and\n`remove --out` instead.\n\n" +
        changeExitCodes("both are in force"),
    )
    .action(replace);
}

async function replace(lost: ReplicaId, flags: JoinerFlags): Promise<void> {
  const operator = await openOperator(flags);
  const { client } = operator;
  await client.follow(undefined, operator.leftMs());
  const isThere = client.epochs.membership.members.some(({ id }) => id === lost);
  // Before anything is ordered: a joiner that takes nobody's place is not what was asked for.
  if (!isThere && !wasMember(operator, lost)) knownMember(operator, lost);
  const joined = await joinOnce(operator, lost, isThere, flags);
  if (isThere) await orderStep(operator, { change: leaveOf(operator, lost, joined) }, flags);
  else printProgress(`replica ${lost} is no member any more`);
  const { epoch, membership } = client.epochs;
  if (flags.json === true)
    printJson({ epoch, left: lost, joined, members: membership.members, ...thresholds(membership) });
  else
    printLine(
      `epoch ${epoch}: replica ${joined} has taken the place of replica ${lost}; ${describeMembers(membership)}`,
    );
}

/** @returns the id of the replica at the address, which is a member then. */
async function joinOnce(
  operator: Operator,
  lost: ReplicaId,
  isLostThere: boolean,
  flags: JoinerFlags,
): Promise<ReplicaId> {
  const found = await memberOrProposal(operator, flags);
  if ("id" in found) {
    if (found.id === lost)
      throw new ConfigurationError(
        "configuration.inconsistent",
        `at ${flags.from} is replica ${lost} itself: the one that takes its place needs another address`,
      );
    printProgress(`replica ${found.id} at ${flags.from} is a member already`);
    return found.id;
  }
  if (!isLostThere)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `replica ${lost} has left before: \`quorate members add --from ${flags.from}\` makes the one there a member`,
    );
  await orderStep(operator, found, flags);
  return found.change.member.id;
}

/** Whoever is at an address is known by its key: there are more names of an address than the one that members know. */
async function memberOrProposal(operator: Operator, flags: JoinerFlags): Promise<Member | JoinClaim> {
  const { members } = operator.client.epochs.membership;
  const there = members.find(({ address }) => address === flags.from);
  if (there !== undefined) return there;
  try {
    return await proposeJoin(operator, flags);
  } catch (error) {
    const member =
      error instanceof ClaimError ? members.find(({ publicKey }) => publicKey === error.member) : undefined;
    if (member === undefined) throw error;
    return member;
  }
}

async function orderStep(operator: Operator, proposal: Proposal, flags: JoinerFlags): Promise<void> {
  await orderOrWrite(operator, proposal, flags);
  const { client } = operator;
  const { epoch } = client.epochs;
  const what = describeChange(proposal.change, membersBefore(client, epoch));
  printProgress(`epoch ${epoch} has begun: ${what}`);
}

/** With the joiner just come, it takes away no more than that one has brought. Of one that has been there for longer it may. */
function leaveOf({ client: { epochs } }: Operator, lost: ReplicaId, joined: ReplicaId): ReconfigurationChange {
  const before = epochs.epoch === 0 ? undefined : epochs.membershipAt(epochNumber(epochs.epoch - 1));
  const isJustCome = before !== undefined && !before.members.some(({ id }) => id === joined);
  return { type: "leave", id: lost, mayLowerFaultThreshold: isJustCome };
}

/** In an epoch before this one. */
function wasMember({ client: { epochs } }: Operator, lost: ReplicaId): boolean {
  for (let epoch = 0; epoch < epochs.epoch; epoch++)
    if (epochs.membershipAt(epochNumber(epoch))?.members.some(({ id }) => id === lost) === true) return true;
  return false;
}

/** Parses where somebody listens. */
export function addressArgument(text: string): string {
  try {
    parseAddress(text);
    return text;
  } catch (error) {
    if (error instanceof TransportError) throw new InvalidArgumentError(`${error.message}.`);
    throw error;
  }
}
