import {
  epochNumber,
  faultThreshold,
  type Membership,
  quorumSize,
  type ReconfigurationChange,
  type ReplicaId,
} from "@quorate/protocol";
import { ConfigurationError, type PreparedChange } from "@quorate/server";
import { approveChange, type OrderedChange, prepareChange, submitWith } from "../../order-change.ts";
import type { SessionlessClient } from "../../sessionless-client.ts";
import { printJson, printLine, printProgress } from "../terminal.ts";
import { describeChange } from "./describe-change.ts";
import { type Operator, type OperatorFlags, type OperatorKey, requireKey } from "./operator.ts";
import { writeOrder } from "./order-files.ts";

/** What is done with an order once it is signed. */
export interface IssueFlags extends OperatorFlags {
  /** It goes into this file, and not to the cluster. */
  readonly out?: string;
}

/** A change, and what shows that the key which it brings in agrees. */
export interface Proposal {
  readonly change: ReconfigurationChange;
  readonly possession?: Uint8Array;
}

/**
 * Signs a change with the keys at hand, for the epoch that the operator has followed the cluster to, and has it ordered and waits until
 * it is in force; or writes it into a file for other admins to approve.
 *
 * @throws ConfigurationError when the keys at hand are not enough, QuorateError when the cluster does not take the change.
 */
export async function issueChange(operator: Operator, proposal: Proposal, flags: IssueFlags): Promise<void> {
  const ordered = await orderOrWrite(operator, proposal, flags);
  if (ordered !== undefined) printOrdered(ordered, proposal.change, operator, flags);
}

/** The same, and nothing is printed of what was ordered. Undefined: the order is in a file. */
export async function orderOrWrite(
  operator: Operator,
  { change, possession }: Proposal,
  flags: IssueFlags,
): Promise<OrderedChange | undefined> {
  const { cluster, epochs } = operator.client;
  const proven = possession === undefined ? {} : { possession };
  let prepared = prepareChange({ cluster, epoch: epochs.epoch, change, ...proven });
  const signers = signersOf(operator, change, flags.out !== undefined);
  for (const { seed } of signers.approvers) prepared = await approveChange(prepared, seed);
  if (flags.out !== undefined) {
    writeOrder(flags.out, prepared);
    printWritten(flags.out, prepared, operator, flags);
    return undefined;
  }
  return submitPrepared(operator, prepared);
}

/** Has an order executed that is signed, and tells of each step on standard error. */
export function submitPrepared({ client, leftMs }: Operator, prepared: PreparedChange): Promise<OrderedChange> {
  const latest = client.epochs.epoch;
  const isAtOnce = prepared.change.type === "admit" || prepared.change.type === "expel";
  return submitWith(client, prepared, {
    timeoutMs: leftMs(),
    onProgress: ({ type, epoch, activation }) => {
      if (type !== "accepted" || isAtOnce) return;
      if (epoch <= latest) printProgress(`already in force since epoch ${epoch}, which began above ${activation}`);
      else printProgress(`accepted: epoch ${epoch} begins above ${activation}, to which the cluster goes by itself`);
    },
  });
}

/** What of a change says who signs it. */
interface SignedChange {
  readonly type: ReconfigurationChange["type"];
  readonly id?: ReplicaId;
}

/** Prints how an order ended. */
export function printOrdered(
  { epoch, activation }: OrderedChange,
  change: ReconfigurationChange,
  { client }: Operator,
  { json }: OperatorFlags,
): void {
  const { membership } = client.epochs;
  const isAtOnce = change.type === "admit" || change.type === "expel";
  if (json === true)
    printJson({
      change,
      epoch,
      ...(isAtOnce ? { executed: activation } : { activation, members: membership.members, ...thresholds(membership) }),
    });
  else if (isAtOnce) printLine(`executed at ${activation}: ${describeChange(change, membership)}`);
  else
    printLine(
      `epoch ${epoch} has begun above ${activation}: ${describeChange(change, membersBefore(client, epoch))}; ${describeMembers(membership)}`,
    );
}

/** Those of the epoch before one that has begun, which an order has changed. */
export function membersBefore({ epochs }: Pick<SessionlessClient, "epochs">, epoch: number): Membership {
  return (epoch === 0 ? undefined : epochs.membershipAt(epochNumber(epoch - 1))) ?? epochs.membership;
}

/** Who they are, and what they tolerate. */
export function describeMembers(membership: Membership): string {
  const { f, q } = thresholds(membership);
  const ids = membership.members.map(({ id }) => id).join(", ");
  return `${membership.members.length} members (${ids}), of which ${f} may be faulty and ${q} decide`;
}

/** f and q of a membership. */
export function thresholds(membership: Membership): { readonly f: number; readonly q: number } {
  return { f: faultThreshold(membership), q: quorumSize(membership) };
}

/**
 * Which of the keys at hand approve. None where a member leaves or rejoins by itself, whose key submits the order then.
 *
 * @throws ConfigurationError when they are not enough and nobody else is to approve, or when one has no say.
 */
export function signersOf(
  operator: Operator,
  change: SignedChange,
  isForOthers: boolean,
): { readonly approvers: readonly OperatorKey[] } {
  const { members, admins } = operator.client.epochs.configuration;
  // Whoever makes an order for others to approve may have no say itself.
  if (!isForOthers) requireKey(operator);
  const isAdmin = ({ publicKey }: OperatorKey): boolean => admins.keys.some((key) => key === publicKey);
  const isOwn = ({ publicKey }: OperatorKey): boolean =>
    (change.type === "leave" || change.type === "rejoin") &&
    members.some((member) => member.id === change.id && member.publicKey === publicKey);
  const approvers = operator.keys.filter(isAdmin);
  if (isForOthers) return { approvers };
  const foreign = operator.keys.find((key) => !isAdmin(key) && !isOwn(key));
  if (foreign !== undefined) {
    const isOwnToo = change.type === "leave" || change.type === "rejoin";
    throw noAdminsKey(operator, foreign, isOwnToo ? ` and not that of replica ${change.id}` : "");
  }
  const [submitter] = operator.keys;
  if (approvers.length >= admins.threshold || (submitter !== undefined && isOwn(submitter))) return { approvers };
  throw new ConfigurationError(
    "configuration.inconsistent",
    `a change needs the signatures of ${admins.threshold} of ${admins.keys.length} admins, ${approvers.length} of their keys ${
      approvers.length === 1 ? "is" : "are"
    } here: name more with --key, or write the order with --out FILE for the others to approve`,
  );
}

/** Whose signature is of no use to an order, or spoils it. */
export function noAdminsKey({ client }: Operator, { file, publicKey }: OperatorKey, more = ""): ConfigurationError {
  return new ConfigurationError(
    "configuration.wrong-key",
    `${file} holds the key ${publicKey}, which is no admin's in epoch ${client.epochs.epoch}${more}; name an admin's with --key: \`quorate members list --json\` shows whose there are`,
  );
}

function printWritten(file: string, prepared: PreparedChange, { client }: Operator, { json }: OperatorFlags): void {
  const { epoch, nonce, change, approvals } = prepared;
  const { threshold } = client.epochs.configuration.admins;
  if (json === true) printJson({ file, epoch, nonce, change, approvals: approvals.map(({ key }) => key), threshold });
  else
    printLine(
      `${file}: ${describeChange(change, client.epochs.membership)}; for epoch ${epoch}, approved by ${approvals.length} of the ${threshold} admins that it needs`,
    );
}
