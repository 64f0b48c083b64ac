import { bytesToHex, hexToBytes, type PublicKey, publicKey } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { SeedCache } from "./seed-cache.ts";
import { passesSelfTest } from "./self-test.ts";
import { type RawEd25519, type SignatureBackend, underValidityRule } from "./signature-backend.ts";
import { POINT_SIZE, SIGNATURE_SIZE } from "./validity-rule.ts";

const PUBLIC_KEYS_MAX = 16_384;
const SECRET_KEY_SIZE = 64;

type SodiumLibrary = typeof import("sodium-native");

/**
 * libsodium by way of the optional dependency `sodium-native`: the fastest.
 *
 * @returns undefined where it is not installed, does not load on this platform, or fails the self-test.
 */
export async function loadSodiumBackend(): Promise<SignatureBackend | undefined> {
  const library = await loadLibrary();
  if (library === undefined) return undefined;
  const backend = underValidityRule(new SodiumEd25519(library));
  return passesSelfTest(backend) ? backend : undefined;
}

async function loadLibrary(): Promise<SodiumLibrary | undefined> {
  try {
    const { default: library } = await import("sodium-native");
    return library;
  } catch {
    return undefined;
  }
}

interface KeyPair {
  readonly publicKey: PublicKey;
  readonly secretKey: Uint8Array;
}

class SodiumEd25519 implements RawEd25519 {
  readonly name = "sodium";
  readonly #library: SodiumLibrary;
  readonly #keyPairs = new SeedCache((seed) => this.#keyPairOf(seed));
  readonly #publicKeys = new BoundedCache<PublicKey, Uint8Array>(PUBLIC_KEYS_MAX);
  /** What the library reads and writes: an array of one's own for each call would get a memory block for it. */
  readonly #signature: Uint8Array = new Uint8Array(new ArrayBuffer(SIGNATURE_SIZE));

  constructor(library: SodiumLibrary) {
    this.#library = library;
  }

  publicKeyOf(seed: Uint8Array): PublicKey {
    return this.#keyPairs.keyOf(seed).publicKey;
  }

  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    this.#library.crypto_sign_detached(this.#signature, message, this.#keyPairs.keyOf(seed).secretKey);
    return new Uint8Array(this.#signature);
  }

  verifyCofactorless(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    this.#signature.set(signature);
    return this.#library.crypto_sign_verify_detached(this.#signature, message, this.#publicKeyBytesOf(key));
  }

  isTorsionFree(point: Uint8Array): boolean {
    return this.#library.crypto_core_ed25519_is_valid_point(point);
  }

  #keyPairOf(seed: Uint8Array): KeyPair {
    const bytes = new Uint8Array(POINT_SIZE);
    const secretKey = new Uint8Array(SECRET_KEY_SIZE);
    this.#library.crypto_sign_seed_keypair(bytes, secretKey, seed);
    return { publicKey: publicKey(bytesToHex(bytes)), secretKey };
  }

  #publicKeyBytesOf(key: PublicKey): Uint8Array {
    const known = this.#publicKeys.get(key);
    if (known !== undefined) return known;
    const bytes = hexToBytes(key);
    this.#publicKeys.set(key, bytes);
    return bytes;
  }
}
