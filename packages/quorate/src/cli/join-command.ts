import { randomBytes } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { generateSeed, type SignatureBackend } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import type { Hasher } from "@quorate/protocol";
import {
  advertisedAddress,
  ConfigurationError,
  initReplicaFolder,
  type KeyFile,
  keyFileOf,
  makeFolder,
  type ProcessStatus,
  parseKeyFile,
  type ReplicaFolder,
  type RunningReplica,
  readDocument,
  readReplicaFolder,
  standingOf,
  writeOnce,
} from "@quorate/server";
import { type Command, Option } from "commander";
import { collect, path } from "./arguments.ts";
import { loadService } from "./load-service.ts";
import { refuseClusterFolder } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { runReplica } from "./run-replica.ts";
import { SERVICE_FLAG, serviceFor } from "./start-command.ts";
import { printLine } from "./terminal.ts";

interface JoinFlags {
  readonly genesis: string;
  readonly peer: readonly string[];
  readonly listen: string;
  readonly advertise?: string;
  readonly admin?: string;
  readonly data: string;
  readonly service?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

/** Between two looks at how far it is. */
const LOOK_MS = 1_000;

/** `quorate join`: a new replica follows the cluster, and says how it becomes a member. */
export function addJoinCommand(program: Command): void {
  program
    .command("join")
    .description("make a new replica that follows the cluster, and run it; an admin then makes it a member")
    .requiredOption("--genesis <file>", "the cluster's genesis document", path)
    .requiredOption("--peer <host:port>", "a replica of the cluster as it is now; repeat it", collect, [])
    .requiredOption("--listen <host:port>", "where it listens")
    .requiredOption("--data <dir>", "its data folder; one that `quorate join` has made goes on", path)
    .option("--advertise <host:port>", "what others dial; where it listens unless given")
    .option("--admin <host:port>", "where to answer `quorate status`; 127.0.0.1 and the port + 1000 unless given")
    .option("--service <file>", SERVICE_FLAG, path)
    .addOption(
      new Option("--log-level <level>", "how much to log to standard error").choices(LOG_LEVELS).default("warn"),
    )
    .option("--json", "print JSON, one line for each step")
    .addHelpText(
      "after",
      "\nExample:\n  quorate join --genesis genesis.json --peer 10.0.0.1:7000 --listen 10.0.0.5:7000 --data /var/lib/quorate\n\n" +
        "It runs until SIGINT or SIGTERM, as a member once it is one; afterwards `quorate start` runs it.",
    )
    .action(async (flags: JoinFlags) => {
      try {
        process.exitCode = await joinCluster(flags);
      } finally {
        // The channel to a parent would keep the process alive.
        if (process.connected) process.disconnect();
      }
    });
}

async function joinCluster(flags: JoinFlags): Promise<number> {
  refuseClusterFolder(flags.data);
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const folder = await folderFor(flags, backend, hasher);
  const progress = new JoinProgress(folder, flags.json === true);
  return await runReplica({
    folder,
    name: standingOf(folder, { backend, hasher })?.id ?? "observer",
    service: await serviceFor(folder, flags.service),
    backend,
    hasher,
    logLevel: flags.logLevel,
    onStarted: (replica) => progress.follow(replica),
    onEnding: () => progress.stop(),
  });
}

/** The one that is there already, or a new one. A key that was made before the folder was whole is kept. */
async function folderFor(flags: JoinFlags, backend: SignatureBackend, hasher: Hasher): Promise<ReplicaFolder> {
  const { data, genesis, service } = flags;
  const text = readDocument(genesis, "genesis document", "get it from whoever runs the cluster");
  if (existsSync(join(data, "replica.json"))) return withPeers(readReplicaFolder(data, backend, hasher), flags);
  if (service !== undefined) await loadService(service);
  makeFolder(data, "choose another --data folder");
  const { advertise, admin, listen, peer } = flags;
  return await initReplicaFolder({
    path: data,
    genesis: { text, source: genesis },
    key: keyIn(data, backend),
    observes: true,
    listen,
    peers: peer,
    ...(advertise !== undefined && { advertise }),
    ...(admin !== undefined && { admin }),
    ...(service !== undefined && { service }),
    backend,
    hasher,
  });
}

/** What was said when the folder was made holds; where it is to dial may have changed since. */
function withPeers(folder: ReplicaFolder, { peer }: JoinFlags): ReplicaFolder {
  const { config } = folder;
  return { ...folder, config: { ...config, peers: [...new Set([...config.peers, ...peer])] } };
}

function keyIn(data: string, backend: SignatureBackend): KeyFile {
  const file = join(data, "key.json");
  if (existsSync(file)) return parseKeyFile(readFileSync(file, "utf8"), file);
  const key = keyFileOf(backend, generateSeed(randomBytes(32)));
  writeOnce(file, `${JSON.stringify(key, null, 2)}\n`, 0o600);
  return key;
}

/** Says how far the replica is, each step once. */
class JoinProgress {
  readonly #folder: ReplicaFolder;
  readonly #isJson: boolean;
  #timer: NodeJS.Timeout | undefined;
  #said: JoinStep["step"] | undefined;

  constructor(folder: ReplicaFolder, isJson: boolean) {
    if (advertisedAddress(folder.config) === undefined)
      throw new ConfigurationError(
        "configuration.inconsistent",
        `it listens on ${folder.config.listen}, which nobody can dial: say with --advertise what others are to dial`,
      );
    this.#folder = folder;
    this.#isJson = isJson;
  }

  follow(replica: RunningReplica): void {
    const { path: data, owner } = this.#folder;
    if (this.#isJson) printLine(JSON.stringify({ step: "started", data, owner }));
    else printLine(`data folder ${data}, key ${owner}`);
    this.#timer = setInterval(() => this.#say(joinStepOf(replica.status, this.#folder)), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #say({ step, text }: JoinStep): void {
    if (step === this.#said) return;
    this.#said = step;
    printLine(this.#isJson ? JSON.stringify({ step, text }) : text);
  }
}

/** Where a joiner stands, and what is to be done next. */
export interface JoinStep {
  readonly step: "alone" | "fetching" | "stranded" | "waiting" | "level" | "member";
  readonly text: string;
}

export function joinStepOf(status: ProcessStatus, { config }: Pick<ReplicaFolder, "config">): JoinStep {
  const { replica, transfer, lowWatermark, peers, isStranded } = status;
  if (replica !== null) return { step: "member", text: `it is a member: replica ${replica} of epoch ${status.epoch}` };
  if (!peers.some(({ isConnected }) => isConnected))
    return {
      step: "alone",
      text: "no member answers yet: is --peer right, and is its key admitted where clients are listed?",
    };
  if (transfer !== undefined) return { step: "fetching", text: `fetches the state at checkpoint ${transfer.target}` };
  if (isStranded)
    return { step: "stranded", text: "what it lacks has left the others' history: it waits for their state" };
  if (lowWatermark === 0)
    return { step: "waiting", text: "follows, and waits for a stable checkpoint: `quorate checkpoint` makes one" };
  const address = advertisedAddress(config);
  return {
    step: "level",
    text: `level with the others: an admin makes it a member with\n  quorate members add --from ${address}`,
  };
}
