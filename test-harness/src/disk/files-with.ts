import type { LogFiles } from "@quorate/storage/memory";

/** The same files but for what is given: for tests that plant a bug between a log and its disk. */
export function filesWith(files: LogFiles, changes: Partial<LogFiles>): LogFiles {
  return {
    place: files.place,
    segments: () => files.segments(),
    read: (segment) => files.read(segment),
    truncate: (segment, length) => files.truncate(segment, length),
    settle: (segment, from) => files.settle(segment, from),
    removeNow: (segment) => files.removeNow(segment),
    remove: (segment) => files.remove(segment),
    open: (segment) => files.open(segment),
    create: (segment, done) => files.create(segment, done),
    openToRead: (segment) => files.openToRead(segment),
    openMarks: () => files.openMarks(),
    later: (task) => files.later(task),
    ...changes,
  };
}
