import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { ConfigurationError } from "./configuration-error.ts";

/** Writes a new file and makes it durable; an existing one is never overwritten. */
export function writeOnce(path: string, content: string | Uint8Array, mode: number): void {
  try {
    const file = openSync(path, "wx", mode);
    try {
      writeFileSync(file, content);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST")
      throw new ConfigurationError("configuration.exists", `${path} exists already; it is not overwritten`);
    throw new ConfigurationError("configuration.unreadable", `cannot write ${path} (${code}); check the folder`);
  }
}

/** As `writeOnce`, for a file that a process looks for meanwhile, or after a crash: it is there as a whole or not at all. */
export function writeWhole(path: string, text: string, mode: number): void {
  if (existsSync(path))
    throw new ConfigurationError("configuration.exists", `${path} exists already; it is not overwritten`);
  const part = `${path}.part`;
  rmSync(part, { force: true });
  writeOnce(part, text, mode);
  renameSync(part, path);
}
