import { epochNumber, type Member, type ReconfigurationChange, type ReplicaId } from "@quorate/protocol";
import { ConfigurationError } from "@quorate/server";
import { parseAddress, TransportError } from "@quorate/transport";
import { type Command, InvalidArgumentError } from "commander";
import { printJson, printLine, printProgress } from "../terminal.ts";
import { CHANGE_EXIT_CODES, runChange, withChangeFlags } from "./change-command.ts";
import { type JoinerFlags, proposeJoin } from "./claims.ts";
import { describeChange } from "./describe-change.ts";
import { describeMembers, type IssueFlags, orderOrWrite, type Proposal, thresholds } from "./issue-change.ts";
import { memberArgument } from "./leave-commands.ts";
import { type Operator, openOperator, withOperatorFlags } from "./operator.ts";

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
  )
    .addHelpText(
      "after",
      "\nExample:\n  quorate members replace 2 --from 10.0.0.5:7000\n\nInterrupted, it goes on where it was when it is run again. Where the admins' keys are apart, use `add --out` and\n`remove --out` instead.\n\n" +
        CHANGE_EXIT_CODES,
    )
    .action(replace);
}

async function replace(lost: ReplicaId, flags: JoinerFlags): Promise<void> {
  const operator = await openOperator(flags);
  const { epochs } = operator.client;
  await operator.client.follow(undefined, flags.timeout);
  const there = memberAt(operator, flags.from, lost);
  if (there === undefined) await orderStep(operator, await proposeJoin(operator, flags), flags);
  else printProgress(`replica ${there.id} at ${flags.from} is a member already`);
  if (epochs.membership.members.some(({ id }) => id === lost))
    await orderStep(operator, { change: leaveOf(operator, lost, flags.from) }, flags);
  else printProgress(`replica ${lost} is no member any more`);
  const joined = memberAt(operator, flags.from, lost);
  const { epoch, membership } = epochs;
  if (flags.json === true)
    printJson({ epoch, left: lost, joined: joined?.id, members: membership.members, ...thresholds(membership) });
  else
    printLine(
      `epoch ${epoch}: replica ${joined?.id} has taken the place of replica ${lost}; ${describeMembers(membership)}`,
    );
}

async function orderStep(operator: Operator, proposal: Proposal, flags: JoinerFlags): Promise<void> {
  await orderOrWrite(operator, proposal, flags);
  printProgress(`epoch ${operator.client.epochs.epoch} has begun: ${describeChange(proposal.change)}`);
}

/** With the joiner just come, it takes away no more than that one has brought. Of one that has been there for longer it may. */
function leaveOf(operator: Operator, lost: ReplicaId, from: string): ReconfigurationChange {
  const { epochs } = operator.client;
  const joined = memberAt(operator, from, lost);
  const before = epochs.epoch === 0 ? undefined : epochs.membershipAt(epochNumber(epochs.epoch - 1));
  const isJustCome = before !== undefined && !before.members.some(({ id }) => id === joined?.id);
  return { type: "leave", id: lost, mayLowerFaultThreshold: isJustCome };
}

/** @throws ConfigurationError when the member there is the one that is to leave. */
function memberAt({ client }: Operator, address: string, lost: ReplicaId): Member | undefined {
  const member = client.epochs.membership.members.find((known) => known.address === address);
  if (member?.id !== lost) return member;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `${address} is the address of replica ${lost} itself: the one that takes its place needs another`,
  );
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
