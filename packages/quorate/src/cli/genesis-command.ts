import { clusterIdOf } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  DEFAULT_CHECKPOINT_INTERVAL,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  DEFAULT_WINDOW_SIZE,
  FORMAT_VERSION,
  isHex32,
  LIMITS_BOUNDS,
  type Limits,
  TIMEOUTS_BOUNDS,
  type Timeouts,
} from "@quorate/protocol";
import {
  type BackupSummary,
  ConfigurationError,
  type Cryptography,
  checkRoom,
  readDocument,
  readGenesis,
  verifyBackup,
  writeOnce,
} from "@quorate/server";
import { type Command, InvalidArgumentError } from "commander";
import { collect, integer, path } from "./arguments.ts";
import { printJson, printLine } from "./terminal.ts";

interface MemberArgument {
  readonly id: number;
  readonly publicKey: string;
  readonly address: string;
}

interface GenesisFlags {
  readonly out: string;
  readonly member: readonly MemberArgument[];
  readonly admin: readonly string[];
  readonly adminThreshold?: number;
  readonly client?: readonly string[];
  readonly name: string;
  readonly checkpointInterval: number;
  readonly windowSize: number;
  readonly rotateEvery: number;
  readonly limit?: Readonly<Partial<Limits>>;
  readonly timeout?: Readonly<Partial<Timeouts>>;
  readonly viewChangeMs?: number;
  readonly viewChangeMaxMs?: number;
  readonly fromBackup?: string;
  readonly backupGenesis?: string;
  readonly json?: true;
}

/** `quorate genesis`: the public document that a cluster starts from. */
export function addGenesisCommand(program: Command): void {
  program
    .command("genesis")
    .description("write the public genesis document of a new cluster")
    .requiredOption("--out <file>", "where to write it; an existing file is never overwritten", path)
    .requiredOption("--member <id=publickey@address>", "a replica; repeat for each of at least 4", collectMember)
    .requiredOption("--admin <publickey>", "an admin key; repeat", collectKey)
    .option("--admin-threshold <m>", "how many admins must sign; the majority unless given", integer)
    .option("--client <publickey>", "admit only the clients listed; repeat (open to all unless given)", collectKey)
    .option("--name <name>", "a name for people", "quorate")
    .option("--checkpoint-interval <K>", "sequence numbers between checkpoints", integer, DEFAULT_CHECKPOINT_INTERVAL)
    .option("--window-size <L>", "a multiple of K, at least 2K", integer, DEFAULT_WINDOW_SIZE)
    .option("--rotate-every <k>", "batches until the next replica becomes primary; 0: only when one fails", integer, 0)
    .option("--limit <name=value>", `one of ${Object.keys(LIMITS_BOUNDS).join(", ")}`, collectNamed(LIMITS_BOUNDS))
    .option("--timeout <name=ms>", `one of ${Object.keys(TIMEOUTS_BOUNDS).join(", ")}`, collectNamed(TIMEOUTS_BOUNDS))
    .option("--view-change-ms <ms>", "how long a request may wait before the primary is replaced", integer)
    .option("--view-change-max-ms <ms>", "what that time ends at; each primary that fails doubles it", integer)
    .option("--from-backup <file>", "start with the application's state in this backup, which is verified", path)
    .option("--backup-genesis <file>", "the genesis document of the cluster that the backup is of", path)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  quorate genesis --out genesis.json --admin $ADMIN_KEY \\\n" +
        "    --member 0=$KEY0@10.0.0.1:7000 --member 1=$KEY1@10.0.0.2:7000 \\\n" +
        "    --member 2=$KEY2@10.0.0.3:7000 --member '3='$KEY3'@[2001:db8::4]:7000'",
    )
    .action(async (flags: GenesisFlags) => {
      const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
      const backup = await backupOf(flags, cryptography);
      const document = { ...documentOf(flags), ...(backup !== undefined && { restored: backup.restored }) };
      const text = `${JSON.stringify(document, null, 2)}\n`;
      const genesis = readGenesis(text, "the genesis document", cryptography.backend);
      if (backup !== undefined) checkRoom(backup.file, backup.valueBytesMax, genesis.limits);
      writeOnce(flags.out, text, 0o644);
      const cluster = clusterIdOf(cryptography.hasher, genesis);
      if (flags.json === true) printJson({ cluster, file: flags.out, members: genesis.members.length });
      else printLine(cluster);
    });
}

/** @throws ConfigurationError when the backup is not what a quorum of its cluster signed. */
async function backupOf(
  { fromBackup, backupGenesis }: GenesisFlags,
  cryptography: Cryptography,
): Promise<(BackupSummary & { readonly file: string }) | undefined> {
  if (fromBackup === undefined && backupGenesis === undefined) return undefined;
  if (fromBackup === undefined || backupGenesis === undefined)
    throw new ConfigurationError(
      "configuration.missing",
      "--from-backup and --backup-genesis go together: a backup is worth what the genesis document of its cluster says of it",
    );
  const text = readDocument(backupGenesis, "genesis document", "name that of the cluster that the backup is of");
  const genesis = readGenesis(text, backupGenesis, cryptography.backend);
  const cluster = clusterIdOf(cryptography.hasher, genesis);
  return { file: fromBackup, ...(await verifyBackup(fromBackup, { genesis, cluster }, cryptography)) };
}

function documentOf(flags: GenesisFlags): object {
  const { viewChangeMs, viewChangeMaxMs } = flags;
  return {
    formatVersion: FORMAT_VERSION,
    name: flags.name,
    faultModel: "byzantine",
    members: flags.member,
    admins: { threshold: flags.adminThreshold ?? Math.floor(flags.admin.length / 2) + 1, keys: flags.admin },
    clients: flags.client ?? "open",
    checkpointInterval: flags.checkpointInterval,
    windowSize: flags.windowSize,
    rotateEveryBatches: flags.rotateEvery,
    limits: { ...DEFAULT_LIMITS, ...flags.limit },
    timeouts: {
      ...DEFAULT_TIMEOUTS,
      ...flags.timeout,
      ...(viewChangeMs !== undefined && { viewChangeMs }),
      ...(viewChangeMaxMs !== undefined && { viewChangeMaxMs }),
    },
  };
}

function collectMember(text: string, before: readonly MemberArgument[] = []): MemberArgument[] {
  const [, id, publicKey, address] = /^(\d+)=([0-9a-f]{64})@(.+)$/.exec(text) ?? [];
  if (id === undefined || publicKey === undefined || address === undefined)
    throw new InvalidArgumentError("expected id=publickey@host:port, the key as 64 hex digits.");
  return [...before, { id: Number(id), publicKey, address }];
}

function collectKey(text: string, before: readonly string[] = []): string[] {
  if (!isHex32(text)) throw new InvalidArgumentError("expected a public key: 64 lower-case hex digits.");
  return collect(text, before);
}

function collectNamed(
  known: Readonly<Record<string, unknown>>,
): (text: string, before?: Readonly<Record<string, number>>) => Record<string, number> {
  return (text, before = {}) => {
    const [, name, value] = /^(\w+)=(\d+)$/.exec(text) ?? [];
    if (name === undefined || !(name in known))
      throw new InvalidArgumentError(`expected name=integer, name one of ${Object.keys(known).join(", ")}.`);
    return { ...before, [name]: Number(value) };
  };
}
