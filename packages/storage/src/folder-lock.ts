import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { bootOf } from "./boot.ts";
import { inaccessible, StorageError } from "./storage-error.ts";

/** The right of one process to use a folder. */
export interface FolderLock {
  /** Gives it back; doing so twice is harmless. A process that is killed need not. */
  release(): void;
}

/** `lock.<pid>.<start>.<random>`: the name is the whole content, so a lock file can never be half written. */
const LOCK_NAME = /^lock\.(\d+)\.([0-9a-f-]+)\.[0-9a-f]+$/;

/** The start of a process on a system that does not tell. */
const START_UNKNOWN = "0";

/**
 * Takes a folder for this process alone; makes it if it is missing. A lock whose holder is dead is removed: the holder
 * is known by pid and, on Linux, by its start time and the boot, so a reused pid is not mistaken for it. It does not see
 * holders on other machines or in other pid namespaces.
 *
 * @throws StorageError `storage.locked`, naming the process, or `storage.inaccessible`. Two that start in the same
 * instant may both be refused.
 */
export function lockFolder(path: string): FolderLock {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw inaccessible(path, error) ?? error;
  }
  const { lock, dead } = takeLock(path);
  for (const name of dead) rmSync(join(path, name), { force: true });
  return lock;
}

/**
 * Keeps others off a folder that is only looked at: as `lockFolder`, but nothing is made of a folder that is not there, the
 * locks of dead holders stay, and where nobody may write nothing needs to be kept off.
 *
 * @throws StorageError as `lockFolder` does.
 */
export function lockFolderToRead(path: string): FolderLock {
  try {
    return takeLock(path).lock;
  } catch (error) {
    if (error instanceof StorageError && isReadOnlyMount(error.cause)) return { release: () => undefined };
    throw error;
  }
}

function takeLock(path: string): { readonly lock: FolderLock; readonly dead: readonly string[] } {
  const own = `lock.${process.pid}.${startOf(process.pid) ?? START_UNKNOWN}.${randomBytes(6).toString("hex")}`;
  const release = (): void => rmSync(join(path, own), { force: true });
  // First the own mark, then a look at the others: of two contenders at least one sees the other, whatever the timing.
  makeMark(path, own);
  const others = marksIn(path).filter(({ name }) => name !== own);
  const holder = others.find(({ isHeld }) => isHeld);
  if (holder !== undefined) {
    release();
    const advice = "stop that process or choose another folder";
    throw new StorageError("storage.locked", `${path} is in use by process ${holder.pid}: ${advice}`);
  }
  return { lock: { release }, dead: others.map(({ name }) => name) };
}

function isReadOnlyMount(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "EROFS";
}

/**
 * The process that has locked a folder now, as far as `lockFolder` would see it; undefined when nobody has, as where no
 * folder is.
 *
 * @throws StorageError `storage.inaccessible`.
 */
export function lockHolderOf(path: string): number | undefined {
  try {
    return marksIn(path).find(({ isHeld }) => isHeld)?.pid;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw inaccessible(path, error) ?? error;
  }
}

function marksIn(path: string): readonly { readonly name: string; readonly pid: number; readonly isHeld: boolean }[] {
  return readdirSync(path).flatMap((name) => {
    const [, pid, start] = LOCK_NAME.exec(name) ?? [];
    if (pid === undefined) return [];
    return [{ name, pid: Number(pid), isHeld: isRunning(Number(pid), start ?? START_UNKNOWN) }];
  });
}

function makeMark(path: string, mark: string): void {
  try {
    closeSync(openSync(join(path, mark), "wx", 0o600));
  } catch (error) {
    throw inaccessible(path, error) ?? error;
  }
}

function isRunning(pid: number, start: string): boolean {
  if (start !== START_UNKNOWN && startOf(process.pid) !== undefined) return startOf(pid) === start;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // Not ours to signal, but there.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Boot and start time of a running process; undefined if it is dead or the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The second field is the program's name in parentheses and may itself contain both.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const [state, ticks] = [fields[0], fields[19]];
    if (state === "Z" || state === "X" || ticks === undefined) return undefined;
    const boot = bootOf()?.slice(0, 8);
    return boot === undefined ? undefined : `${boot}-${BigInt(ticks).toString(16)}`;
  } catch {
    return undefined;
  }
}
