import { bytesToHex, equalBytes, type Hasher, type PublicKey, publicKey } from "@quorate/protocol";
import { createNobleHasher } from "./noble-hasher.ts";
import { checkSeed, type SignatureBackend } from "./signature-backend.ts";
import { SEED_SIZE, SIGNATURE_SIZE } from "./validity-rule.ts";

/**
 * Signatures for simulations: a keyed hash that only this instance can make and judge. It knows the seed of every key it
 * derived, so whoever does not hold a seed cannot express a forgery; a key that it did not derive is not admissible.
 * Deterministic, many times faster than curves, worthless outside of one process.
 *
 * Keys are remembered for the life of the instance: one per replica and client of a simulation.
 */
export function createFakeBackend(hasher: Hasher = createNobleHasher()): SignatureBackend {
  return new FakeBackend(hasher);
}

class FakeBackend implements SignatureBackend {
  readonly name = "fake";
  readonly #hasher: Hasher;
  readonly #seeds = new Map<PublicKey, Uint8Array>();
  readonly #publicKeys = new Map<string, PublicKey>();

  constructor(hasher: Hasher) {
    this.#hasher = hasher;
  }

  publicKeyOf(seed: Uint8Array): PublicKey {
    checkSeed(seed);
    const id = bytesToHex(seed);
    const known = this.#publicKeys.get(id);
    if (known !== undefined) return known;
    const key = publicKey(this.#hasher.digest(seed));
    this.#publicKeys.set(id, key);
    this.#seeds.set(key, Uint8Array.from(seed));
    return key;
  }

  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    this.publicKeyOf(seed);
    return this.#keyedHash(seed, message);
  }

  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    const seed = this.#seeds.get(key);
    return seed !== undefined && equalBytes(signature, this.#keyedHash(seed, message));
  }

  isAdmissible(key: PublicKey): boolean {
    return this.#seeds.has(key);
  }

  /** The 64 hex digits of the digest, as 64 bytes of ASCII. */
  #keyedHash(seed: Uint8Array, message: Uint8Array): Uint8Array {
    const keyed = new Uint8Array(SEED_SIZE + message.length);
    keyed.set(seed);
    keyed.set(message, SEED_SIZE);
    const digest = this.#hasher.digest(keyed);
    const signature = new Uint8Array(SIGNATURE_SIZE);
    for (let i = 0; i < SIGNATURE_SIZE; i++) signature[i] = digest.charCodeAt(i);
    return signature;
  }
}
