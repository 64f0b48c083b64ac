import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { EPOCH_LINKS_MAX, epochNumber, sequenceNumber } from "@quorate/protocol";
import { describeChainFault } from "@quorate/reconfiguration";
import {
  ConfigurationError,
  type Cryptography,
  type Judges,
  judgeItem,
  judgesOf,
  type LoggedNumber,
  type LogPage,
  type LogPageItem,
  type LogPageRequest,
  type NumberRange,
  openStoppedLog,
  type ReplicaFolder,
  type ReplicaName,
  readReplicaFolder,
} from "@quorate/server";
import { replicaFoldersIn } from "./local-cluster.ts";

/** The ordered log of one replica, wherever it was read. */
export interface ReplicaLog {
  readonly replica: ReplicaName;
  items(range: NumberRange): Iterable<LoggedNumber> | AsyncIterable<LoggedNumber>;
  close(): Promise<void>;
}

/** The logs that were asked for, and whose they are. */
export interface OpenedLogs {
  readonly cluster: string;
  readonly logs: readonly ReplicaLog[];
}

/** Whose log it is, and where it answers. */
type Asked = Pick<ReplicaFolder, "path" | "owner" | "cluster" | "config">;

/** A replica that runs may be busy for a moment. */
const ANSWER_TIMEOUT_MS = 10_000;

/**
 * Opens the log of the replica of a data folder, or those of all replicas of a local cluster: asked of those that run, page
 * by page, and read from the disks of those that do not. What a running one says is judged here like what a disk says.
 *
 * @throws ConfigurationError or StorageError in one line; nothing is open then.
 */
export async function openLogs(data: string): Promise<OpenedLogs> {
  const paths = await replicaFoldersIn(data);
  const cryptography = { backend: await chooseBackend(), hasher: createNodeHasher() };
  const folders = paths.map((path) => readReplicaFolder(path, cryptography.backend, cryptography.hasher));
  const logs: ReplicaLog[] = [];
  try {
    for (const folder of folders) logs.push(await openLog(folder, cryptography));
    return { cluster: folders[0]?.cluster ?? "", logs };
  } catch (error) {
    for (const log of logs) await log.close();
    throw error;
  }
}

async function openLog(folder: ReplicaFolder, cryptography: Cryptography): Promise<ReplicaLog> {
  // An empty range: only whether it is there.
  const answer = await fetchPage(folder, { from: 0, to: 0, above: epochNumber(0) });
  if (answer === undefined) return openStoppedLog(folder, cryptography);
  const replica = answer.replica ?? "observer";
  const judges = judgesOf(folder, cryptography);
  return { replica, items: (range) => runningItems(folder, judges, range), close: async () => undefined };
}

/** Up to what is there when it is asked: a cluster under load has no end. The links of later epochs come with the pages. */
export async function* runningItems(folder: Asked, judges: Judges, range: NumberRange): AsyncGenerator<LoggedNumber> {
  let end: number | undefined;
  for (let from: number | undefined = range.from; from !== undefined; ) {
    const page: LogPage = await pageWithLinks(folder, judges, { from, to: end ?? range.to });
    end ??= Math.min(range.to, page.last ?? 0);
    for (const item of page.items) if (item.seq <= end) yield loggedOf(item, judges);
    from = page.next !== undefined && page.next <= end ? page.next : undefined;
  }
}

/** A page, once all links are known that the replica has by then. */
async function pageWithLinks(folder: Asked, judges: Judges, range: NumberRange): Promise<LogPage> {
  for (;;) {
    const page = await pageOrThrow(folder, { ...range, above: judges.epochs.epoch });
    const { links = [] } = page;
    for (const link of links) addLink(folder, judges, Buffer.from(link, "base64"));
    if (links.length < EPOCH_LINKS_MAX) return page;
  }
}

/** Each answer is of links above what is known, so that whoever gives others, or as many for ever, is found out by the first. */
function addLink({ path }: Asked, { codec, epochs }: Judges, bytes: Uint8Array): void {
  const epoch = epochs.epoch + 1;
  const decoded = codec.decodeEpochLink(bytes);
  const verdict = decoded.ok ? epochs.add(decoded.value) : undefined;
  if (verdict === "added") return;
  const why =
    verdict === undefined
      ? `the link that begins epoch ${epoch} does not decode`
      : describeChainFault({ fault: verdict, epoch });
  throw new ConfigurationError(
    "configuration.malformed",
    `the replica of ${path} proves nothing of what was ordered in epoch ${epoch}: ${why}; ask another replica`,
  );
}

function loggedOf(item: LogPageItem, judges: Judges): LoggedNumber {
  const seq = sequenceNumber(item.seq);
  const read = "entry" in item ? { seq, bytes: Buffer.from(item.entry, "base64") } : { seq, problem: item.problem };
  return judgeItem(read, judges.entries);
}

async function pageOrThrow(folder: Asked, range: LogPageRequest): Promise<LogPage> {
  const page = await fetchPage(folder, range);
  if (page !== undefined) return page;
  const { path, config } = folder;
  throw new ConfigurationError(
    "configuration.unreadable",
    `the replica of ${path} does not answer at ${config.admin} any more: ask again, or stop it and read its folder`,
  );
}

/** Undefined when nobody answers, or somebody else does. */
async function fetchPage(
  { config, cluster, owner }: Asked,
  { from, to, above }: LogPageRequest,
): Promise<LogPage | undefined> {
  try {
    const url = `http://${config.admin}/log?from=${from}&to=${to}&above=${above}`;
    const response = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS) });
    if (!response.ok) return undefined;
    const page = (await response.json()) as LogPage;
    return page.cluster === cluster && page.owner === owner ? page : undefined;
  } catch {
    return undefined;
  }
}
