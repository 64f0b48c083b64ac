import { isHex32, type PublicKey } from "@quorate/protocol";
import { type Command, InvalidArgumentError } from "commander";
import { positive } from "../arguments.ts";
import { CHANGE_EXIT_CODES, runChange, withChangeFlags } from "./change-command.ts";
import type { IssueFlags } from "./issue-change.ts";

interface AdminsFlags extends IssueFlags {
  readonly admin: readonly PublicKey[];
  readonly threshold?: number;
}

interface ParametersFlags extends IssueFlags {
  readonly checkpointInterval?: number;
  readonly windowSize?: number;
}

/** The commands that change what is not a member: admins, K and L, clients. */
export function addSettingCommands(members: Command): void {
  addAdminsCommand(members);
  addParametersCommand(members);
  addAdmissionCommand(members, "admit", "admit a client to a cluster that lists its clients, at once");
  addAdmissionCommand(members, "expel", "expel a client from a cluster that lists its clients, at once");
}

function addAdminsCommand(members: Command): void {
  withChangeFlags(
    members
      .command("admins")
      .description("put other admins in the place of those that there are")
      .requiredOption("--admin <publickey>", "an admin from then on; repeat for all of them", collectKey)
      .option("--threshold <m>", "how many must sign; the majority unless given", positive),
  )
    .addHelpText(
      "after",
      example("quorate members admins --admin $ADMIN0 --admin $ADMIN1 --admin $ADMIN2 --threshold 2"),
    )
    .action((flags: AdminsFlags) =>
      runChange(flags, () => {
        const { admin: keys, threshold = Math.floor(keys.length / 2) + 1 } = flags;
        return { change: { type: "admins", admins: { threshold, keys } } };
      }),
    );
}

function addParametersCommand(members: Command): void {
  withChangeFlags(
    members
      .command("parameters")
      .description("change how often checkpoints are made, and the window of sequence numbers")
      .option("--checkpoint-interval <K>", "sequence numbers between checkpoints; as it is unless given", positive)
      .option(
        "--window-size <L>",
        "a multiple of K, at least 2K, at most what the limits of genesis allow; as it is unless given",
        positive,
      ),
  )
    .addHelpText("after", example("quorate members parameters --checkpoint-interval 64 --window-size 256"))
    .action((flags: ParametersFlags) =>
      runChange(flags, ({ client }) => {
        const { checkpointInterval, windowSize } = { ...client.epochs.configuration, ...flags };
        return { change: { type: "parameters", checkpointInterval, windowSize } };
      }),
    );
}

function addAdmissionCommand(members: Command, type: "admit" | "expel", description: string): void {
  withChangeFlags(
    members.command(type).description(description).argument("<publickey>", "the client's public key", keyArgument),
  )
    .addHelpText("after", example(`quorate members ${type} $CLIENT_KEY`))
    .action((client: PublicKey, flags: IssueFlags) => runChange(flags, () => ({ change: { type, client } })));
}

function example(line: string): string {
  return `\nExample:\n  ${line}\n\n${CHANGE_EXIT_CODES}`;
}

function keyArgument(text: string): PublicKey {
  if (!isHex32(text)) throw new InvalidArgumentError("expected a public key: 64 lower-case hex digits.");
  return text as string as PublicKey;
}

function collectKey(text: string, before: readonly PublicKey[] = []): PublicKey[] {
  return [...before, keyArgument(text)];
}
