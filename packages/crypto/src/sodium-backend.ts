import { bytesToHex, hexToBytes, type PublicKey, publicKey } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { passesSelfTest } from "./self-test.ts";
import { type RawEd25519, type SignatureBackend, underValidityRule } from "./signature-backend.ts";
import { POINT_SIZE, SIGNATURE_SIZE } from "./validity-rule.ts";

const SEEDS_MAX = 256;
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
  readonly #keyPairs = new BoundedCache<string, KeyPair>(SEEDS_MAX);
  readonly #publicKeys = new BoundedCache<PublicKey, Uint8Array>(PUBLIC_KEYS_MAX);

  constructor(library: SodiumLibrary) {
    this.#library = library;
  }

  publicKeyOf(seed: Uint8Array): PublicKey {
    return this.#keyPairOf(seed).publicKey;
  }

  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    const signature = new Uint8Array(SIGNATURE_SIZE);
    this.#library.crypto_sign_detached(signature, message, this.#keyPairOf(seed).secretKey);
    return signature;
  }

  verifyCofactorless(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    return this.#library.crypto_sign_verify_detached(signature, message, this.#publicKeyBytesOf(key));
  }

  isTorsionFree(point: Uint8Array): boolean {
    return this.#library.crypto_core_ed25519_is_valid_point(point);
  }

  #keyPairOf(seed: Uint8Array): KeyPair {
    const id = bytesToHex(seed);
    const known = this.#keyPairs.get(id);
    if (known !== undefined) return known;
    const bytes = new Uint8Array(POINT_SIZE);
    const secretKey = new Uint8Array(SECRET_KEY_SIZE);
    this.#library.crypto_sign_seed_keypair(bytes, secretKey, seed);
    const pair = { publicKey: publicKey(bytesToHex(bytes)), secretKey };
    this.#keyPairs.set(id, pair);
    return pair;
  }

  #publicKeyBytesOf(key: PublicKey): Uint8Array {
    const known = this.#publicKeys.get(key);
    if (known !== undefined) return known;
    const bytes = hexToBytes(key);
    this.#publicKeys.set(key, bytes);
    return bytes;
  }
}
