import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  ConfigurationError,
  type InitOptions,
  initReplicaFolder,
  memberIn,
  type ReplicaFolder,
  readDocument,
  readGenesis,
} from "@quorate/server";
import { type Command, Option } from "commander";
import { collect, integer, path } from "./arguments.ts";
import { EPOCH_FLAG, epochDocument } from "./folder-flags.ts";
import { loadService } from "./load-service.ts";
import { readKeyFile } from "./read-key.ts";
import { refuseRunningReplica } from "./refuse-running.ts";
import { printJson, printLine } from "./terminal.ts";

interface InitFlags {
  readonly genesis: string;
  readonly key: string;
  readonly data: string;
  readonly replica?: number;
  readonly listen?: string;
  readonly admin?: string;
  readonly durability: "sync" | "async";
  readonly service?: string;
  readonly backup?: string;
  readonly lostDisk?: true;
  readonly observe?: true;
  readonly epoch?: string;
  readonly advertise?: string;
  readonly peer?: readonly string[];
  readonly json?: true;
}

/** `quorate init`: makes the data folder of one replica, once in its life, or again when its disk is lost. */
export function addInitCommand(program: Command): void {
  program
    .command("init")
    .description("make the data folder of one replica, once")
    .requiredOption("--genesis <file>", "the cluster's genesis document", path)
    .requiredOption(
      "--key <file>",
      "this replica's key pair, made by `quorate keygen`; it is copied with mode 0600",
      path,
    )
    .requiredOption("--data <dir>", "the data folder to make", path)
    .option("--replica <id>", "which member this is; found by the key unless given", integer)
    .option("--listen <host:port>", "where to listen; the address in genesis unless given")
    .option("--admin <host:port>", "where to answer `quorate status`; 127.0.0.1 and the port + 1000 unless given")
    .addOption(
      new Option("--durability <mode>", "sync: flushed before spoken; async: may lose promises with the power")
        .choices(["sync", "async"])
        .default("sync"),
    )
    .option("--service <file>", "an ES module that exports the service to run; the key-value store unless given", path)
    .option(
      "--backup <file>",
      "the backup that the genesis document starts from, if it was made with --from-backup",
      path,
    )
    .option("--epoch <file>", EPOCH_FLAG, path)
    .option("--observe", "it is no member of genesis: it follows, and may join; say where it listens")
    .option("--advertise <host:port>", "with --observe or --lost-disk: what others dial; where it listens unless given")
    .option(
      "--peer <host:port>",
      "with --observe or --lost-disk: a replica to dial beside the members of genesis; repeat it",
      collect,
    )
    .option(
      "--lost-disk",
      "this replica has run before and its disk is lost: it stays mute until it is safe to vote; say where it listens if it joined later",
    )
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate init --genesis genesis.json --key replica-0.key.json --data /var/lib/quorate\n\n" +
        "Never without --lost-disk for a replica that has run before: it would vote against its own promises.",
    )
    .action(async (flags: InitFlags) => {
      const folder = await makeFrom(flags);
      const { config, cluster, path } = folder;
      const id = memberIn(folder.genesis, folder)?.id;
      if (flags.json === true) printJson({ data: path, cluster, replica: id ?? null, ...config });
      else
        printLine(
          `${id === undefined ? "observer" : `replica ${id}`} of cluster ${cluster}: data folder ${path} made, listens on ${config.listen}${
            flags.lostDisk === true ? "; it starts mute, for its disk was lost" : ""
          }`,
        );
    });
}

async function makeFrom(flags: InitFlags): Promise<ReplicaFolder> {
  const key = readKeyFile(flags.key);
  // What does not load would stop the replica later.
  if (flags.service !== undefined) await loadService(flags.service);
  const text = readDocument(flags.genesis, "genesis document", "make one with `quorate genesis`");
  const backend = await chooseBackend();
  if (flags.lostDisk === true)
    await refuseRunningReplica({ ...flags, key, genesis: readGenesis(text, flags.genesis, backend) });
  const { replica, listen, admin, service, backup } = flags;
  const epoch = epochDocument(flags.epoch);
  return await initReplicaFolder({
    path: flags.data,
    genesis: { text, source: flags.genesis },
    key,
    durability: flags.durability,
    isDiskLost: flags.lostDisk === true,
    observes: flags.observe === true,
    ...observing(flags),
    ...(epoch !== undefined && { epoch }),
    ...(replica !== undefined && { replica }),
    ...(listen !== undefined && { listen }),
    ...(admin !== undefined && { admin }),
    ...(service !== undefined && { service }),
    ...(backup !== undefined && { backup }),
    backend,
    hasher: createNodeHasher(),
  });
}

/** What only an observer says: of a member genesis says it. */
function observing({ observe, lostDisk, advertise, peer = [] }: InitFlags): Pick<InitOptions, "advertise" | "peers"> {
  // One that joined later observes until it knows the epoch that it is a member of.
  if (observe !== true && lostDisk !== true && (advertise !== undefined || peer.length > 0))
    throw new ConfigurationError(
      "configuration.inconsistent",
      "--advertise and --peer are for an observer: a member is dialed where genesis says; leave them out, or give --observe",
    );
  return { ...(advertise !== undefined && { advertise }), peers: peer };
}
