import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { kvService } from "@quorate/kv";
import type { Member } from "@quorate/protocol";
import { ConfigurationError, type ReplicaFolder, readReplicaFolder, standingOf } from "@quorate/server";
import type { Service } from "@quorate/state-machine";
import { formatAddress, parseAddress } from "@quorate/transport";
import { type Command, Option } from "commander";
import { collect, path, positive } from "./arguments.ts";
import { EXIT } from "./exit-codes.ts";
import { loadService } from "./load-service.ts";
import { refuseClusterFolder } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { runReplica } from "./run-replica.ts";
import { reportError } from "./terminal.ts";

interface StartFlags {
  readonly data: string;
  readonly listen?: string;
  readonly admin?: string;
  readonly advertise?: string;
  readonly pipeline?: number;
  readonly service?: string;
  readonly observe?: true;
  readonly peer?: readonly string[];
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
    .option("--observe", "it is no member: it follows, keeps state and log, and votes nowhere")
    .option(
      "--peer <host:port>",
      "an observer dials this replica too, beside those of its folder; repeat it",
      collect,
      [],
    )
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
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const found = readReplicaFolder(flags.data, backend, hasher);
  const member = standingOf(found, { backend, hasher });
  refuseUnsaidObserver(found, member, flags);
  const folder = withFlags(found, member, flags);
  return await runReplica({
    folder,
    name: member?.id ?? "observer",
    service: await serviceFor(folder, flags.service),
    backend,
    hasher,
    logLevel: flags.logLevel,
    pipeline: flags.pipeline,
    onStarted: () => tellParent({ type: "ready" }),
  });
}

/** Who takes an observer for a member waits for votes that never come. One that was a member follows on without being told. */
function refuseUnsaidObserver(
  { path, genesis, owner }: ReplicaFolder,
  member: Member | undefined,
  flags: StartFlags,
): void {
  const wasMember = genesis.members.some(({ publicKey }) => publicKey === owner);
  if (member !== undefined || wasMember || flags.observe === true) return;
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

function withFlags(folder: ReplicaFolder, member: Member | undefined, flags: StartFlags): ReplicaFolder {
  const { listen, admin, advertise, peer = [] } = flags;
  if (advertise !== undefined && member !== undefined && formatAddress(parseAddress(advertise)) !== member.address)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `the members know replica ${member.id} at ${member.address}, not at ${advertise}; others dial what they know`,
    );
  const { config } = folder;
  const chosen = (given: string | undefined, configured: string): string =>
    given === undefined ? configured : formatAddress(parseAddress(given));
  return {
    ...folder,
    config: {
      ...config,
      listen: chosen(listen, config.listen),
      admin: chosen(admin, config.admin),
      ...(advertise !== undefined && { advertise: formatAddress(parseAddress(advertise)) }),
      peers: [...new Set([...config.peers, ...peer.map((address) => formatAddress(parseAddress(address)))])],
    },
  };
}

function tellParent(message: StartMessage): void {
  process.send?.(message);
}
