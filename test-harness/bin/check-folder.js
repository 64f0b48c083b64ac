/** Whether files can be written to a folder, found out without making it. */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Why nothing could be written into `folder`, or undefined. One that is not there yet is as good as the nearest folder above
 * it, which it would be made in: nothing is made before there is something to write.
 */
export function obstacleTo(folder, { isMadeLater = false } = {}) {
  try {
    const there = isMadeLater ? nearest(folder) : folder;
    if (!statSync(there).isDirectory()) return `${there} is not a folder`;
    accessSync(there, constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return error.message;
  }
}

function nearest(path) {
  const above = dirname(path);
  return above === path || statSync(path, { throwIfNoEntry: false }) !== undefined ? path : nearest(above);
}
