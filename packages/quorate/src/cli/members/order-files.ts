import { closeSync, fsyncSync, openSync, renameSync, writeSync } from "node:fs";
import type { SignatureBackend } from "@quorate/crypto";
import type { ClusterId } from "@quorate/protocol";
import {
  ConfigurationError,
  changeDocumentOf,
  type PreparedChange,
  parseChangeDocument,
  readDocument,
  writeOnce,
} from "@quorate/server";

/** @throws ConfigurationError in one line, when the file is no order for this cluster, or a signature in it is not valid. */
export function readOrder(file: string, cluster: ClusterId, backend: SignatureBackend): PreparedChange {
  const text = readDocument(file, "order", "make one with --out FILE of `quorate members add`, `remove` and the like");
  return parseChangeDocument(text, file, cluster, backend);
}

/** @throws ConfigurationError when the file is there. */
export function writeOrder(file: string, prepared: PreparedChange): void {
  writeOnce(file, textOf(prepared), 0o644);
}

/** Puts an order in the place of what it was made of: whole, or not at all. */
export function replaceOrder(file: string, prepared: PreparedChange): void {
  const beside = `${file}.${process.pid}.tmp`;
  try {
    const opened = openSync(beside, "w", 0o644);
    try {
      writeSync(opened, textOf(prepared));
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
    renameSync(beside, file);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new ConfigurationError("configuration.unreadable", `cannot write ${file} (${code}); check the folder`);
  }
}

function textOf(prepared: PreparedChange): string {
  return `${JSON.stringify(changeDocumentOf(prepared), null, 2)}\n`;
}
