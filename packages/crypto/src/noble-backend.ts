import { hashes, Point, utils } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, equalBytes, hexToBytes, type PublicKey, publicKey } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { SeedCache } from "./seed-cache.ts";
import { type RawEd25519, type SignatureBackend, underValidityRule } from "./signature-backend.ts";
import { POINT_SIZE, SIGNATURE_SIZE } from "./validity-rule.ts";

const PUBLIC_KEYS_MAX = 4096;

interface ExpandedKey {
  readonly prefix: Uint8Array;
  readonly scalar: bigint;
  readonly publicKeyBytes: Uint8Array;
}

/** Pure TypeScript: runs wherever there is a JavaScript engine, ten times slower than the others. */
export function createNobleBackend(): SignatureBackend {
  hashes.sha512 = sha512;
  return underValidityRule(new NobleEd25519());
}

/** Whether a point encoding is on the curve and of prime order or the identity; by curve arithmetic, about a millisecond. */
export function isTorsionFreePoint(encoding: Uint8Array): boolean {
  return Point.fromBytes(encoding, false).isTorsionFree();
}

class NobleEd25519 implements RawEd25519 {
  readonly name = "noble";
  readonly #expanded = new SeedCache<ExpandedKey>(expand);
  readonly #negated = new BoundedCache<PublicKey, Point>(PUBLIC_KEYS_MAX);

  publicKeyOf(seed: Uint8Array): PublicKey {
    return publicKey(bytesToHex(this.#expanded.keyOf(seed).publicKeyBytes));
  }

  /** RFC 8032 §5.1.6, with the expansion of the seed done once per key. */
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    const { prefix, scalar, publicKeyBytes } = this.#expanded.keyOf(seed);
    const nonce = scalarOfHash(prefix, message);
    const r = Point.BASE.multiply(nonce).toBytes();
    const k = scalarOfHash(r, publicKeyBytes, message);
    const signature = new Uint8Array(SIGNATURE_SIZE);
    signature.set(r);
    writeScalar(signature.subarray(POINT_SIZE), (nonce + k * scalar) % Point.CURVE().n);
    return signature;
  }

  /** noble's own `verify` multiplies by the cofactor, so it is not used. */
  verifyCofactorless(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    const r = signature.subarray(0, POINT_SIZE);
    const s = readScalar(signature.subarray(POINT_SIZE));
    const k = scalarOfHash(r, hexToBytes(key), message);
    const expected = Point.BASE.multiply(s, false).add(this.#negatedPointOf(key).multiply(k, false));
    return equalBytes(expected.toBytes(), r);
  }

  isTorsionFree(point: Uint8Array): boolean {
    return isTorsionFreePoint(point);
  }

  #negatedPointOf(key: PublicKey): Point {
    const known = this.#negated.get(key);
    if (known !== undefined) return known;
    const point = Point.fromBytes(hexToBytes(key), false).negate();
    this.#negated.set(key, point);
    return point;
  }
}

function expand(seed: Uint8Array): ExpandedKey {
  const { prefix, scalar, pointBytes } = utils.getExtendedPublicKey(seed);
  return { prefix, scalar, publicKeyBytes: pointBytes };
}

function scalarOfHash(...parts: readonly Uint8Array[]): bigint {
  const hash = sha512.create();
  for (const part of parts) hash.update(part);
  return readScalar(hash.digest()) % Point.CURVE().n;
}

function readScalar(littleEndian: Uint8Array): bigint {
  return BigInt(`0x${bytesToHex(Uint8Array.from(littleEndian).reverse())}`);
}

function writeScalar(target: Uint8Array, scalar: bigint): void {
  target.set(hexToBytes(scalar.toString(16).padStart(2 * POINT_SIZE, "0")).reverse());
}
