import { type Genesis, GenesisError, type PublicKey } from "@quorate/protocol";
import type { SignatureBackend } from "./signature-backend.ts";

/**
 * Completes `checkGenesis` with what needs curve arithmetic: every key of the document has to be admissible (protocol
 * rules 1.3 and 2.2).
 *
 * @throws GenesisError naming the first key that is not.
 */
export function checkGenesisKeys(backend: SignatureBackend, genesis: Genesis): void {
  for (const { id, publicKey } of genesis.members) checkKey(backend, `member ${id}`, publicKey);
  for (const key of genesis.admins.keys) checkKey(backend, "admins", key);
  if (genesis.clients !== "open") for (const key of genesis.clients) checkKey(backend, "clients", key);
}

function checkKey(backend: SignatureBackend, owner: string, key: PublicKey): void {
  if (backend.isAdmissible(key)) return;
  throw new GenesisError(
    `${owner}: the key ${key} is not an admissible ed25519 public key (a strictly encoded point of prime order); ` +
      "expected what `quorate keygen` printed",
  );
}
