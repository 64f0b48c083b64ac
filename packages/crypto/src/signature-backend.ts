import { hexToBytes, invariant, isHex32, type PublicKey } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { isPointEncodingAllowed, isSignatureEncodingAllowed, SEED_SIZE } from "./validity-rule.ts";

/** Which implementation makes and judges signatures; `fake` exists for simulations only. */
export type BackendName = "noble" | "node" | "sodium" | "fake";

/**
 * Ed25519 under the one validity rule (protocol rule 2.2). Whatever the back end, the verdict on any bytes whatsoever is
 * the same. Synchronous and deterministic; keys are cached inside, within bounds.
 */
export interface SignatureBackend {
  readonly name: BackendName;
  /** @throws InvariantViolation unless `seed` is 32 bytes. */
  publicKeyOf(seed: Uint8Array): PublicKey;
  /** 64 bytes. @throws InvariantViolation unless `seed` is 32 bytes. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /** The whole rule, the admissibility of the key included. Never throws for foreign bytes. */
  verify(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether the key may stand for anyone: strictly encoded, of prime order. The verdict is cached. Never throws. */
  isAdmissible(publicKey: PublicKey): boolean;
}

/** What a library supplies; the rule around it is `underValidityRule`. May throw: any throw is a refusal. */
export interface RawEd25519 {
  readonly name: BackendName;
  publicKeyOf(seed: Uint8Array): PublicKey;
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array;
  /**
   * Whether encode(S·B - k·A) is R, byte for byte: *not* multiplied by the cofactor. Called only with an admissible key
   * and a signature whose encoding is allowed.
   */
  verifyCofactorless(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean;
  /** Whether an allowed encoding is a point of the curve without torsion. */
  isTorsionFree(point: Uint8Array): boolean;
}

/** Verdicts on public keys that a back end remembers. */
const ADMISSIBLE_KEYS_MAX = 16_384;

/** Puts the one validity rule around a library: the only way a real back end is made. */
export function underValidityRule(raw: RawEd25519): SignatureBackend {
  return new RuledBackend(raw);
}

class RuledBackend implements SignatureBackend {
  readonly name: BackendName;
  readonly #raw: RawEd25519;
  readonly #admissible = new BoundedCache<PublicKey, boolean>(ADMISSIBLE_KEYS_MAX);

  constructor(raw: RawEd25519) {
    this.name = raw.name;
    this.#raw = raw;
  }

  publicKeyOf(seed: Uint8Array): PublicKey {
    checkSeed(seed);
    return this.#raw.publicKeyOf(seed);
  }

  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    checkSeed(seed);
    return this.#raw.sign(seed, message);
  }

  verify(publicKey: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    if (!isSignatureEncodingAllowed(signature) || !this.isAdmissible(publicKey)) return false;
    try {
      return this.#raw.verifyCofactorless(publicKey, message, signature);
    } catch {
      return false;
    }
  }

  isAdmissible(publicKey: PublicKey): boolean {
    const known = this.#admissible.get(publicKey);
    if (known !== undefined) return known;
    if (!isHex32(publicKey)) return false;
    const verdict = this.#judgeKey(hexToBytes(publicKey));
    this.#admissible.set(publicKey, verdict);
    return verdict;
  }

  #judgeKey(bytes: Uint8Array): boolean {
    try {
      return isPointEncodingAllowed(bytes) && this.#raw.isTorsionFree(bytes);
    } catch {
      return false;
    }
  }
}

/** @throws InvariantViolation unless `seed` is 32 bytes. */
export function checkSeed(seed: Uint8Array): void {
  invariant(seed.length === SEED_SIZE, "crypto.seed-size", { length: seed.length, expected: SEED_SIZE });
}
