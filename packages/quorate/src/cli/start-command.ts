import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { kvService } from "@quorate/kv";
import {
  ConfigurationError,
  type ReplicaFolder,
  readReplicaFolder,
  type Standing,
  standingOf,
  trustEpoch,
} from "@quorate/server";
import type { Service } from "@quorate/state-machine";
import { type Command, Option } from "commander";
import { collect, path, positive } from "./arguments.ts";
import { EXIT } from "./exit-codes.ts";
import { EPOCH_FLAG, epochDocument, type FolderFlags, withFlags } from "./folder-flags.ts";
import { loadService } from "./load-service.ts";
import { refuseClusterFolder } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { runReplica } from "./run-replica.ts";
import { reportError } from "./terminal.ts";

interface StartFlags extends FolderFlags {
  readonly data: string;
  readonly epoch?: string;
  readonly pipeline?: number;
  readonly service?: string;
  readonly observe?: true;
  readonly logLevel: LogLevel;
}

/** The name of an environment variable: set, a start that fails is told to the parent alone. */
export const QUIET_START = "QUORATE_QUIET_START";

/** What `--service` means, for `--help`. */
export const SERVICE_FLAG =
  "an ES module that exports the service to run (that of the data unless given, which is for one whose file has moved)";

/** What a replica tells the process that started it over IPC. */
export type StartMessage = { readonly type: "ready" } | { readonly type: "failed"; readonly message: string };

/** `quorate start`: runs one replica, with the service whose state its folder holds, until it is told to stop. */
export function addStartCommand(program: Command): void {
  program
    .command("start")
    .description("run one replica, until SIGINT or SIGTERM")
    .requiredOption("--data <dir>", "the data folder, made by `quorate init`", path)
    .option("--listen <host:port>", "listen here instead of where the data folder says")
    .option("--admin <host:port>", "answer `quorate status` here instead of where the data folder says")
    .option("--advertise <host:port>", "what others dial; of a member checked against what the others know")
    .option(
      "--observe",
      "it is no member as far as it knows: it follows, keeps state and log; a member is refused, for it votes",
    )
    .option("--peer <host:port>", "an observer dials this replica too, beside those of its folder; repeat it", collect)
    .option("--epoch <file>", EPOCH_FLAG, path)
    .option("--service <file>", SERVICE_FLAG, path)
    .option("--pipeline <depth>", "proposals that this replica as primary keeps on the way at once", positive)
    .addOption(
      new Option("--log-level <level>", "how much to log to standard error").choices(LOG_LEVELS).default("info"),
    )
    .addHelpText("after", "\nExample:\n  quorate start --data /var/lib/quorate --listen '[::]:7000' --log-level info")
    .action(async (flags: StartFlags) => {
      try {
        process.exitCode = await start(flags);
      } catch (error) {
        tellParent({ type: "failed", message: error instanceof Error ? error.message : String(error) });
        // `quorate cluster` says it for all of its replicas in one line.
        process.exitCode = process.env[QUIET_START] === undefined ? reportError(error) : EXIT.failed;
      } finally {
        // The channel to the parent would keep the process alive.
        if (process.connected) process.disconnect();
      }
    });
}

async function start(flags: StartFlags): Promise<number> {
  refuseClusterFolder(flags.data);
  const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  const { backend, hasher } = cryptography;
  const made = readReplicaFolder(flags.data, backend, hasher);
  const epoch = epochDocument(flags.epoch);
  const found = epoch === undefined ? made : await trustEpoch(made, epoch, cryptography);
  const standing = await standingOf(found, cryptography);
  refuseOtherStanding(found, standing, flags);
  const folder = withFlags(found, standing, flags);
  return await runReplica({
    folder,
    name: standing.member?.id ?? "observer",
    service: await serviceFor(folder, flags.service),
    backend,
    hasher,
    logLevel: flags.logLevel,
    pipeline: flags.pipeline,
    onStarted: () => tellParent({ type: "ready" }),
  });
}

/**
 * Who takes an observer for a member waits for votes that never come, and who takes a member for an observer stops it at any time. One
 * that was a member follows on without being told; of one whose store is lost nobody knows better.
 */
export function refuseOtherStanding(
  { path }: Pick<ReplicaFolder, "path">,
  { epoch, member, wasMember, isKnown }: Standing,
  { observe }: Pick<StartFlags, "observe">,
): void {
  if (observe === true && member !== undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `the replica of ${path} is replica ${member.id} of epoch ${epoch}, and votes: start it without --observe; to observe it has to leave, with \`quorate members remove ${member.id}\``,
    );
  if (observe === true || wasMember || !isKnown) return;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `the replica of ${path} is no member as far as it knows: start it with --observe, which it needs until it has become one`,
  );
}

/** As the folder says; what is given is the same service in another place. */
export async function serviceFor({ config, path }: ReplicaFolder, given: string | undefined): Promise<Service> {
  if (config.service === null && given !== undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${path} holds the state of the key-value store, which no other service understands: make a folder with \`quorate init --service FILE\`, or, if this one has never run or has run with that service, write the file's absolute path into \`service\` of its replica.json`,
    );
  const module = given ?? config.service;
  return module === null ? kvService() : await loadService(module);
}

function tellParent(message: StartMessage): void {
  process.send?.(message);
}
