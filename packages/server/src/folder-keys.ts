import { closeSync, existsSync, fsyncSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { SignatureBackend } from "@quorate/crypto";
import type { Membership, PublicKey } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { Logger } from "pino";
import { ConfigurationError } from "./configuration-error.ts";
import { parseKeyFile, readDocument } from "./documents.ts";
import { renameDurably } from "./rename-durably.ts";
import { type HeldKey, heldKeyOf, KEY_FILE, NEXT_KEY_FILE, type ReplicaFolder } from "./replica-folder.ts";

export interface FolderKeysOptions {
  readonly folder: Pick<ReplicaFolder, "path" | "keys">;
  readonly backend: SignatureBackend;
  readonly log: Pick<Logger, "info" | "warn">;
}

/**
 * The secret keys in the folder of a replica that runs. The one that is to take the place of the old one may appear while it runs, and
 * takes it once the epoch in which it is the member's has begun here for good: before that the old one still signs, and after it
 * the old one is worth nothing to anyone but a thief.
 */
export class FolderKeys {
  readonly #o: FolderKeysOptions;
  #keys: readonly HeldKey[];
  #problem = "";

  constructor(options: FolderKeysOptions) {
    this.#o = options;
    this.#keys = options.folder.keys;
  }

  /** The old one first. Looks for a new one each time while there is none. */
  get held(): readonly HeldKey[] {
    if (this.#keys.length === 1) this.#keys = [...this.#keys, ...this.#findNext()];
    return this.#keys;
  }

  /** The secret bytes of this key, if it is held here. */
  seedOf(publicKey: PublicKey): Uint8Array | undefined {
    return this.held.find((key) => key.publicKey === publicKey)?.seed;
  }

  /**
   * An epoch with this membership has begun here, durably: nothing is signed any more in the one before.
   *
   * @throws the file system's error when the new key cannot be put in the place of the old one; both are kept then.
   */
  onBegun({ epoch, members }: Pick<Membership, "epoch" | "members">): void {
    const [old, next] = this.held;
    const member = members.find(({ publicKey }) => publicKey === next?.publicKey);
    if (old === undefined || next === undefined || member === undefined) return;
    replaceKeyFile(this.#o.folder.path);
    this.#keys = [next];
    old.seed.fill(0);
    this.#o.log.info(
      { epoch, replica: member.id, key: next.publicKey },
      "the new key is in force, the old one is gone",
    );
  }

  #findNext(): readonly HeldKey[] {
    const file = join(this.#o.folder.path, NEXT_KEY_FILE);
    if (!existsSync(file)) return [];
    try {
      return [heldKeyOf(parseKeyFile(readDocument(file, "next key", "make it again"), file), this.#o.backend)];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      // It may be in the middle of being written; what is wrong with it for good is told once.
      if (error.message !== this.#problem) this.#o.log.warn(error.message);
      this.#problem = error.message;
      return [];
    }
  }
}

/**
 * Whether an epoch that is known has begun here for good: what votes lives in it, which it does only once the link is durable. What
 * still lives in the epoch before may be at its end already.
 */
export function hasBegunForGood(
  { epoch, start }: Pick<Membership, "epoch" | "start">,
  status: Pick<ReplicaStatus, "epoch" | "lowWatermark">,
): boolean {
  return status.epoch === epoch && status.lowWatermark >= (start?.seq ?? 0);
}

/** What the file of the old key held is overwritten once the new one is durable in its place. */
function replaceKeyFile(path: string): void {
  const old = openSync(join(path, KEY_FILE), "r+");
  try {
    renameDurably(join(path, NEXT_KEY_FILE), join(path, KEY_FILE));
    writeSync(old, new Uint8Array(OVERWRITTEN_BYTES), 0, OVERWRITTEN_BYTES, 0);
    fsyncSync(old);
    ftruncateSync(old, 0);
  } finally {
    closeSync(old);
  }
}

/** More than a key file is long. */
const OVERWRITTEN_BYTES = 1024;
