import { sequenceNumber } from "@quorate/protocol";
import { damaged, notSettled, readAtStart } from "./damage.ts";
import { type LogFiles, nameOf } from "./log-files.ts";
import { hasGroupFrom, type LogId, type ParsedGroup, parseGroup } from "./log-group.ts";
import { LogIndex } from "./log-index.ts";
import { inaccessible, StorageError } from "./storage-error.ts";

/** The end of what is known to be durable in a log: its last flushed group. */
export interface FlushMark {
  /** The group's number; 0 before the first. */
  readonly number: number;
  readonly checksum: number;
}

/** What a log folder held, and where to write on. */
export interface RecoveredLog {
  readonly index: LogIndex;
  /** The last group. */
  readonly last: FlushMark;
  /** The segment to write on, and from which byte. */
  readonly segment: number;
  readonly end: number;
  /** The first segment that is there. */
  readonly oldest: number;
}

interface Segment {
  readonly number: number;
  readonly content: Buffer;
  readonly groups: readonly ParsedGroup[];
  /** The end of the last group. */
  readonly end: number;
}

/**
 * Reads a log folder (protocol rule 8.4). What follows the last whole group of the last segment is a group whose flush
 * was cut short, and is removed, unless a whole group lies behind it or `mark` says that more was durable. What is left is
 * durable when this returns.
 *
 * @throws StorageError `storage.damaged` for anything else that is not what was written, `storage.foreign` for a segment
 * of another log, `storage.inaccessible` when the system does not let it be read, and that or `storage.flush-failed`
 * when what was found could not be made durable.
 */
export function recoverLog(files: LogFiles, logId: LogId, mark: FlushMark): RecoveredLog {
  const segments = readSegments(files, logId);
  const last = segments.at(-1);
  if (last === undefined) throw damaged(`the log in ${files.place}`, "no segment of it is there");
  const lastGroup = segments.findLast(({ groups }) => groups.length > 0)?.groups.at(-1);
  const oldest = lastGroup?.oldest ?? 1;
  const needed = segments.filter(({ number }) => number >= oldest);
  checkSegments(files.place, needed, oldest);
  checkChain(needed, mark);
  const needless = segments.flatMap(({ number }) => (number < oldest ? [number] : []));
  repair(files, { last, marked: endOfMarked(last, mark), needless });
  return {
    index: indexOf(needed),
    last: { number: lastGroup?.number ?? 0, checksum: lastGroup?.checksum ?? 0 },
    segment: last.number,
    end: last.end,
    oldest,
  };
}

/** What a start makes of a log that it has read. */
interface Repair {
  readonly last: Segment;
  /** The end of what a mark says was flushed, in the last segment. */
  readonly marked: number;
  /** The segments that nobody needs. */
  readonly needless: readonly number[];
}

function repair(files: LogFiles, { last, marked, needless }: Repair): void {
  try {
    if (last.content.length > last.end) files.truncate(last.number, last.end);
    // From now on this counts. A process that was killed may not have synced it, and after a write that failed the system
    // may take for written what the disk never got, so that a sync alone proves nothing: what no mark vouches for is
    // written again. Only the last segment has such: each write to an earlier one was confirmed before the next was made.
    files.settle(last.number, marked);
    // That they are not needed may be said by a group that was not durable until now.
    for (const number of needless) files.removeNow(number);
  } catch (error) {
    throw inaccessible(files.place, error) ?? notSettled(files.place, error);
  }
}

function endOfMarked({ groups }: Segment, mark: FlushMark): number {
  const group = groups.findLast(({ number }) => number <= mark.number);
  return group === undefined ? 0 : group.offset + group.length;
}

function readSegments(files: LogFiles, logId: LogId): Segment[] {
  const numbers = readAtStart(files.place, () => files.segments());
  if (numbers === undefined) throw damaged(`the log in ${files.place}`, "the folder is not there");
  return numbers.map((number) => readSegment(files, number, logId));
}

function readSegment(files: LogFiles, number: number, logId: LogId): Segment {
  const path = nameOf(files.place, number);
  const content = readAtStart(path, () => files.read(number));
  const groups: ParsedGroup[] = [];
  let end = 0;
  for (let group = parseGroup(content, end); group !== undefined; group = parseGroup(content, end)) {
    if (Buffer.compare(group.logId, logId) !== 0) {
      const found = "expected a segment of this store's log, found one of another";
      throw new StorageError("storage.foreign", `${path}: ${found}; point it at this replica's own folder`);
    }
    if (group.segment !== number || group.offset !== end)
      throw damaged(path, `the group at byte ${end} was written as byte ${group.offset} of segment ${group.segment}`);
    groups.push(group);
    end += group.length;
  }
  if (hasGroupFrom(content, end)) throw damaged(path, `what is at byte ${end} is no group, and groups follow it`);
  return { number, content, groups, end };
}

/** All but the last were complete before the next was made. */
function checkSegments(place: string, needed: readonly Segment[], oldest: number): void {
  for (const [i, { number, content, groups, end }] of needed.entries()) {
    if (number !== oldest + i) throw damaged(`the log in ${place}`, `segment ${oldest + i} is not there`);
    if (i === needed.length - 1) break;
    if (groups.length === 0 || content.subarray(end).some((byte) => byte !== 0))
      throw damaged(nameOf(place, number), `what is at byte ${end} is no group, and another segment follows`);
  }
  if (needed.length === 0) throw damaged(`the log in ${place}`, `segment ${oldest} is not there`);
}

function checkChain(needed: readonly Segment[], mark: FlushMark): void {
  const groups = needed.flatMap((segment) => segment.groups);
  const [first] = groups;
  let before: FlushMark = { number: (first?.number ?? 1) - 1, checksum: first?.previous ?? 0 };
  if (first?.segment === 1 && before.number !== 0) throw damaged("the log", "its first group is not there");
  for (const { number, previous, checksum } of groups) {
    if (number !== before.number + 1 || previous !== before.checksum)
      throw damaged("the log", `group ${number} does not follow group ${before.number}`);
    if (number === mark.number && checksum !== mark.checksum)
      throw damaged("the log", `group ${number} is not the one that was flushed`);
    before = { number, checksum };
  }
  if (before.number < mark.number)
    throw damaged("the log", `${mark.number} groups were flushed, it ends behind group ${before.number}`);
}

function indexOf(segments: readonly Segment[]): LogIndex {
  const index = new LogIndex();
  for (const { number: segment, content, groups } of segments) {
    for (const { type, seq, at, length } of groups.flatMap(({ records }) => records)) {
      if (type === "cut") {
        index.cut(sequenceNumber(seq));
        continue;
      }
      const record = index.enter(sequenceNumber(seq), content.subarray(at, at + length));
      index.place(record, segment, at);
      record.bytes = undefined;
    }
  }
  return index;
}
