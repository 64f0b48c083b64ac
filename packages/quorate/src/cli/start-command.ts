import { setFlagsFromString } from "node:v8";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { kvService } from "@quorate/kv";
import { ConfigurationError, type ReplicaFolder, readReplicaFolder, startReplica } from "@quorate/server";
import type { Service } from "@quorate/state-machine";
import { formatAddress, parseAddress } from "@quorate/transport";
import { type Command, Option } from "commander";
import { path, positive } from "./arguments.ts";
import { EXIT } from "./exit-codes.ts";
import { loadService } from "./load-service.ts";
import { refuseClusterFolder } from "./local-cluster.ts";
import { createLogger, LOG_LEVELS, type LogLevel } from "./logger.ts";
import { reportError } from "./terminal.ts";

interface StartFlags {
  readonly data: string;
  readonly listen?: string;
  readonly admin?: string;
  readonly advertise?: string;
  readonly pipeline?: number;
  readonly service?: string;
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
    .option("--advertise <host:port>", "what others dial; checked against genesis, which is where they read it")
    .option("--service <file>", SERVICE_FLAG, path)
    .option("--pipeline <depth>", "proposals that this replica as primary keeps on the way at once", positive)
    .addOption(
      new Option("--log-level <level>", "how much to log to standard error").choices(LOG_LEVELS).default("info"),
    )
    .addHelpText("after", "\nExample:\n  quorate start --data /var/lib/quorate --listen '[::]:7000' --log-level info")
    .action(async (flags: StartFlags) => {
      try {
        process.exitCode = await runReplica(flags);
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

/** How much a function runs before V8 optimizes it; a quarter of its default. */
const INTERRUPT_BUDGET_FLAG = "--interrupt-budget=16000";

async function runReplica(flags: StartFlags): Promise<number> {
  // A replica runs the same few paths for months, at some hundred calls a second when it has little to do: waiting for the
  // usual count keeps them slow for minutes.
  setFlagsFromString(INTERRUPT_BUDGET_FLAG);
  refuseClusterFolder(flags.data);
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const folder = withFlags(readReplicaFolder(flags.data, backend, hasher), flags);
  const service = await serviceFor(folder, flags.service);
  const log = createLogger(flags.logLevel, { replica: folder.self.id });
  let end: (exitCode: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const onFatal = (error: Error): void => {
    process.stderr.write(`quorate: replica ${folder.self.id} stops: ${error.message}\n`);
    end(EXIT.failed);
  };
  // Before the start, so that a signal at any time ends the replica cleanly.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(EXIT.ok));
  // A replica that was started by `quorate cluster` does not outlive it.
  process.on("disconnect", () => end(EXIT.ok));
  const { pipeline } = flags;
  const replica = await startReplica({
    folder,
    service,
    backend,
    hasher,
    log,
    onFatal,
    ...(pipeline !== undefined && { settings: { pipelineDepthMax: pipeline } }),
  });
  tellParent({ type: "ready" });
  const exitCode = await ended;
  await replica.stop();
  log.info({ exitCode }, "replica stopped");
  return exitCode;
}

/** As the folder says; what is given is the same service in another place. */
async function serviceFor({ config, path }: ReplicaFolder, given: string | undefined): Promise<Service> {
  if (config.service === null && given !== undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `${path} holds the state of the key-value store, which no other service understands: make a folder with \`quorate init --service FILE\`, or, if this one has never run or has run with that service, write the file's absolute path into \`service\` of its replica.json`,
    );
  const module = given ?? config.service;
  return module === null ? kvService() : await loadService(module);
}

function withFlags(folder: ReplicaFolder, { listen, admin, advertise }: StartFlags): ReplicaFolder {
  if (advertise !== undefined && formatAddress(parseAddress(advertise)) !== folder.self.address)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `genesis says that replica ${folder.self.id} is at ${folder.self.address}, not at ${advertise}; others dial what genesis says`,
    );
  const { config } = folder;
  const chosen = (given: string | undefined, configured: string): string =>
    given === undefined ? configured : formatAddress(parseAddress(given));
  return {
    ...folder,
    config: { ...config, listen: chosen(listen, config.listen), admin: chosen(admin, config.admin) },
  };
}

function tellParent(message: StartMessage): void {
  process.send?.(message);
}
