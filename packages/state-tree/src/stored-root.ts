import { bytesToHex, type Digest, digest } from "@quorate/protocol";
import { DIGEST_BYTES } from "./leaf.ts";
import { StateDamage } from "./state-damage.ts";

/** A root as a record has it. @throws StateDamage for one that has not the length of a root: what else it says, the pages show. */
export function storedRoot(key: Uint8Array, record: Uint8Array): Digest {
  if (record.length !== DIGEST_BYTES) throw new StateDamage("root", key);
  return digest(bytesToHex(record));
}
