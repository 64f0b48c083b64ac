import { join } from "node:path";
import { clusterIdOf } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  advertisedAddress,
  ConfigurationError,
  type Cryptography,
  initReplicaFolder,
  KEY_FILE,
  makeFolder,
  type ProcessStatus,
  type ReplicaFolder,
  type RunningReplica,
  readDocument,
  readGenesis,
  readReplicaFolder,
  standingOf,
  trustEpoch,
} from "@quorate/server";
import { parseAddress } from "@quorate/transport";
import { type Command, Option } from "commander";
import { collect, path } from "./arguments.ts";
import { EPOCH_FLAG, epochDocument, type FolderFlags, refuseDeadEnd, withFlags } from "./folder-flags.ts";
import { loadService } from "./load-service.ts";
import { isReplicaFolder, refuseClusterFolder } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { listenObstacle } from "./probe-ports.ts";
import { keyInOrNew } from "./read-key.ts";
import { runReplica } from "./run-replica.ts";
import { SERVICE_FLAG, serviceFor } from "./start-command.ts";
import { printLine } from "./terminal.ts";

interface JoinFlags extends FolderFlags {
  readonly genesis: string;
  readonly listen: string;
  readonly epoch?: string;
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
    .option("--peer <host:port>", "a replica of the cluster as it is now, needed for a new folder; repeat it", collect)
    .requiredOption("--listen <host:port>", "where it listens")
    .requiredOption(
      "--data <dir>",
      "its data folder; one that is there goes on, with what is said here for this run",
      path,
    )
    .option("--advertise <host:port>", "what others dial; where it listens unless given")
    .option("--admin <host:port>", "where to answer `quorate status`; 127.0.0.1 and the port + 1000 unless given")
    .option("--epoch <file>", EPOCH_FLAG, path)
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
  const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  const made = await folderFor(flags, cryptography);
  const standing = await standingOf(made, cryptography);
  const folder = withFlags(made, standing, flags);
  if (standing.member === undefined) refuseDeadEnd(folder.config);
  const progress = new JoinProgress(folder, flags.json === true);
  return await runReplica({
    folder,
    name: standing.member?.id ?? "observer",
    service: await serviceFor(folder, flags.service),
    ...cryptography,
    logLevel: flags.logLevel,
    onStarted: (replica) => progress.follow(replica),
    onEnding: () => progress.stop(),
  });
}

/** The one that is there already, or a new one. A key that was made before the folder was whole is kept. */
async function folderFor(flags: JoinFlags, cryptography: Cryptography): Promise<ReplicaFolder> {
  const { data, genesis: source, service, advertise, admin, listen, peer = [] } = flags;
  const genesis = { text: readDocument(source, "genesis document", "get it from whoever runs the cluster"), source };
  const epoch = epochDocument(flags.epoch);
  if (isReplicaFolder(data)) {
    const { backend, hasher } = cryptography;
    const folder = readReplicaFolder(data, backend, hasher);
    refuseOtherCluster(folder, clusterIdOf(hasher, readGenesis(genesis.text, source, backend)), source);
    return epoch === undefined ? folder : await trustEpoch(folder, epoch, cryptography);
  }
  refuseDeadEnd({ listen, peers: peer, ...(advertise !== undefined && { advertise }) });
  if (service !== undefined) await loadService(service);
  await refuseTakenPort(listen);
  makeFolder(data, "choose another --data folder");
  return await initReplicaFolder({
    path: data,
    genesis,
    key: keyInOrNew(join(data, KEY_FILE), cryptography.backend),
    observes: true,
    listen,
    peers: peer,
    ...(epoch !== undefined && { epoch }),
    ...(advertise !== undefined && { advertise }),
    ...(admin !== undefined && { admin }),
    ...(service !== undefined && { service }),
    ...cryptography,
  });
}

/** Before anything is made: a folder that is left behind by what cannot start would be taken for one that has run. */
async function refuseTakenPort(listen: string): Promise<void> {
  const code = await listenObstacle(parseAddress(listen));
  if (code === undefined) return;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `it cannot listen on ${listen} (${code}), and no data folder was made: name another address with --listen, or stop the process that listens there`,
  );
}

function refuseOtherCluster({ path, cluster }: ReplicaFolder, given: string, source: string): void {
  if (given === cluster) return;
  throw new ConfigurationError(
    "configuration.foreign",
    `${path} is the data folder of a replica of cluster ${cluster}, ${source} is the genesis document of cluster ${given}: choose another --data folder`,
  );
}

/** Says how far the replica is, each step once. */
class JoinProgress {
  readonly #folder: ReplicaFolder;
  readonly #isJson: boolean;
  #timer: NodeJS.Timeout | undefined;
  #said: JoinStep["step"] | undefined;
  /** As which it was seen last. */
  #member: number | undefined;

  constructor(folder: ReplicaFolder, isJson: boolean) {
    this.#folder = folder;
    this.#isJson = isJson;
  }

  follow(replica: RunningReplica): void {
    const { path: data, owner } = this.#folder;
    if (this.#isJson) printLine(JSON.stringify({ step: "started", data, owner }));
    else printLine(`data folder ${data}, key ${owner}`);
    this.#timer = setInterval(() => this.#look(replica.status), LOOK_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(status: ProcessStatus): void {
    this.#member = status.replica ?? this.#member;
    this.#say(joinStepOf(status, this.#folder, this.#member));
  }

  #say({ step, text }: JoinStep): void {
    if (step === this.#said) return;
    this.#said = step;
    printLine(this.#isJson ? JSON.stringify({ step, text }) : text);
  }
}

/** Where a joiner stands, and what is to be done next. */
export interface JoinStep {
  readonly step:
    | "alone"
    | "fetching"
    | "stranded"
    | "waiting"
    | "following"
    | "level"
    | "member"
    | "left"
    | "dispensable";
  readonly text: string;
}

/**
 * A join names a checkpoint that is one of the cluster's last sixteen when it is ordered (protocol rule 11.5): so many intervals behind leaves
 * time to order it, and room for checkpoints that are made on request.
 */
const BEHIND_MAX = 4;

/** @param member its id when it was one last, since this process runs. */
export function joinStepOf(
  status: ProcessStatus,
  { config }: Pick<ReplicaFolder, "config">,
  member?: number,
): JoinStep {
  const { replica, transfer, lowWatermark, peers, isStranded, observer } = status;
  if (replica !== null) return { step: "member", text: `it is a member: replica ${replica} of epoch ${status.epoch}` };
  if (member !== undefined) return leftStepOf(status, member);
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
  // Of those who have said where they stand one at least is correct, and each shows the certificate of its checkpoint.
  if (observer === undefined || observer.members < observer.membersNeeded || observer.checkpointsBehind > BEHIND_MAX)
    return { step: "following", text: "follows, and is behind the members' last checkpoint" };
  const address = advertisedAddress(config);
  return {
    step: "level",
    text: `level with the others: an admin makes it a member with\n  quorate members add --from ${address}`,
  };
}

/** Whoever goes on without it may need what it has; it gives that until it is stopped. */
function leftStepOf({ epoch, mayStop }: ProcessStatus, member: number): JoinStep {
  const left = `left: replica ${member} is no member any more in epoch ${epoch}`;
  return mayStop
    ? { step: "dispensable", text: `${left}, and nobody needs it: it may be stopped` }
    : {
        step: "left",
        text: `${left}; it may be stopped once enough members have gone on without it, which is said here`,
      };
}
