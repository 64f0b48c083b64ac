/**
 * Signatures and keys at the edge of what ed25519 libraries agree on, made here from curve arithmetic: nothing is copied
 * from elsewhere, so each vector is what its title says. Everybody who holds an ordinary key can make them. For tests of
 * whatever judges signatures, wherever it runs: all have to give the same verdicts.
 *
 * @packageDocumentation
 */
import { Point } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { bytesToHex, invariant } from "@quorate/protocol";

const { n: L, p: P } = Point.CURVE();

/** A key, a message and a signature, and what is to be said of them. */
export interface EdgeVector {
  readonly title: string;
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
  /** The verdict of the validity rule. */
  readonly valid: boolean;
  /** Whether libraries as they come give different verdicts. */
  readonly disputed: boolean;
}

/** The bytes of all, one after the other. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** 32 bytes. */
export function littleEndian(value: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((value >> BigInt(8 * i)) & 255n));
}

function numberOf(bytes: Uint8Array): bigint {
  return bytes.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

function times(point: Point, scalar: bigint): Point {
  return point.multiply(scalar % L, false);
}

function challenge(r: Uint8Array, key: Uint8Array, message: Uint8Array): bigint {
  return numberOf(sha512(concat(r, key, message))) % L;
}

/** A generator of the torsion subgroup: L times whatever point has a full torsion component. */
function orderEight(): Point {
  for (let y = 2n; ; y++) {
    const point = decoded(littleEndian(y));
    if (point === undefined) continue;
    const torsion = point.multiply(L - 1n, false).add(point);
    if (!torsion.multiply(4n, false).is0()) return torsion;
  }
}

function decoded(encoding: Uint8Array): Point | undefined {
  try {
    return Point.fromBytes(encoding, true);
  } catch {
    return undefined;
  }
}

/** A point of order 8. */
export const T8: Point = orderEight();
/** The eight points whose order divides the cofactor; the first is the identity. */
export const TORSION: readonly Point[] = Array.from({ length: 8 }, (_, i) => times(T8, BigInt(i)));

/** Every encoding with y ≥ p, on the curve or not, and with the sign bit set or not. */
export const NON_CANONICAL: readonly Uint8Array[] = Array.from({ length: 19 }, (_, y) => [
  littleEndian(P + BigInt(y)),
  littleEndian(P + BigInt(y) + (1n << 255n)),
]).flat();

/** x = 0 with the sign of x set: the identity and the point of order 2, spelled another way. */
export const NEGATIVE_ZERO: readonly Uint8Array[] = [1n, P - 1n].map((y) => littleEndian(y + (1n << 255n)));

const SECRET = 0x1234567890abcdef1234567890abcdef1234567890abcdef1234567890abcdefn % L;
const NONCE = 0xfedcba0987654321fedcba0987654321fedcba0987654321fedcba098765432n % L;
const KEY_POINT = times(Point.BASE, SECRET);
const KEY = KEY_POINT.toBytes();
const R = times(Point.BASE, NONCE).toBytes();
const MESSAGE = Uint8Array.of(1, 2, 3);

/** S = r + k·a for the R, key and message given as bytes, whatever points these stand for. */
function signatureWith(r: Uint8Array, nonce: bigint, key: Uint8Array, secret: bigint, message: Uint8Array): Uint8Array {
  return concat(r, littleEndian((nonce + challenge(r, key, message) * secret) % L));
}

/** A message for which the challenge is `wanted`: an order of at most 8 makes it a short search. */
function messageWith(r: Uint8Array, key: Uint8Array, wanted: (k: bigint) => boolean): Uint8Array {
  for (let i = 0; ; i++) {
    const message = Uint8Array.of(i & 255, i >> 8);
    if (wanted(challenge(r, key, message))) return message;
  }
}

function ordinary(): readonly EdgeVector[] {
  const good = signatureWith(R, NONCE, KEY, SECRET, MESSAGE);
  const s = numberOf(good.subarray(32));
  const vector = (title: string, signature: Uint8Array, publicKey: Uint8Array = KEY): EdgeVector => ({
    title,
    publicKey,
    message: MESSAGE,
    signature,
    valid: false,
    disputed: false,
  });
  const notOnCurve = Array.from({ length: 64 }, (_, y) => littleEndian(BigInt(y))).find((y) => !decoded(y));
  invariant(notOnCurve !== undefined, "edge-vectors.not-on-curve");
  return [
    { ...vector("an ordinary signature", good), valid: true },
    { ...vector("an ordinary signature of another message", good), message: Uint8Array.of(1, 2, 4) },
    vector("S + L", concat(R, littleEndian(s + L))),
    vector("S + 8L", concat(R, littleEndian(s + 8n * L))),
    vector("S = L", concat(R, littleEndian(L))),
    vector("S = 2^256 - 1", concat(R, new Uint8Array(32).fill(255))),
    vector("R is not on the curve", signatureWith(notOnCurve, 0n, KEY, SECRET, MESSAGE)),
    vector("A is not on the curve", good, notOnCurve),
    vector("a signature of 63 bytes", good.subarray(0, 63)),
    vector("an empty signature", new Uint8Array(0)),
  ];
}

/** An ordinary key, and an R that is not. */
function strangeR(): readonly EdgeVector[] {
  const mixed = TORSION.slice(1).map((torsion, i) => {
    const r = times(Point.BASE, NONCE).add(torsion).toBytes();
    return { title: `R = rB + ${i + 1}·T8`, signature: signatureWith(r, NONCE, KEY, SECRET, MESSAGE), disputed: true };
  });
  const small = TORSION.map((torsion, i) => {
    const title = i === 0 ? "R is the identity" : `R = ${i}·T8`;
    return { title, signature: signatureWith(torsion.toBytes(), 0n, KEY, SECRET, MESSAGE), disputed: true };
  });
  const otherSpellings = [...NON_CANONICAL, ...NEGATIVE_ZERO]
    .filter((r) => decoded(r)?.isSmallOrder())
    .map((r) => ({
      title: `R of small order spelled ${bytesToHex(r)}`,
      signature: signatureWith(r, 0n, KEY, SECRET, MESSAGE),
      disputed: true,
    }));
  return [...mixed, ...small, ...otherSpellings].map((v) => ({ ...v, publicKey: KEY, message: MESSAGE, valid: false }));
}

/** A key that is not of prime order, and a signature that satisfies the equation even without the cofactor. */
function strangeKey(): readonly EdgeVector[] {
  const holding = (title: string, key: Uint8Array, secret: bigint, order: bigint): EdgeVector => {
    const message = messageWith(R, key, (k) => k % order === 0n);
    const signature = signatureWith(R, NONCE, key, secret, message);
    return { title, publicKey: key, message, signature, valid: false, disputed: false };
  };
  const small = TORSION.map((torsion, i) => ({
    ...holding(`A = ${i}·T8`, torsion.toBytes(), 0n, 8n),
    disputed: true,
  }));
  const mixed = TORSION.slice(1).map((torsion, i) =>
    holding(`A = aB + ${i + 1}·T8, k divisible by 8`, KEY_POINT.add(torsion).toBytes(), SECRET, 8n),
  );
  const otherSpellings = [...NON_CANONICAL, ...NEGATIVE_ZERO]
    .filter((key) => decoded(key)?.isSmallOrder())
    .map((key) => ({ ...holding(`A of small order spelled ${bytesToHex(key)}`, key, 0n, 8n), disputed: true }));
  return [...small, ...mixed, ...otherSpellings, mixedOnlyCofactored(), mixedBoth(), allZero()];
}

function mixedOnlyCofactored(): EdgeVector {
  const publicKey = KEY_POINT.add(T8).toBytes();
  const message = messageWith(R, publicKey, (k) => k % 8n === 1n);
  const signature = signatureWith(R, NONCE, publicKey, SECRET, message);
  const title = "A = aB + T8, k not divisible by 8";
  return { title, publicKey, message, signature, valid: false, disputed: true };
}

function mixedBoth(): EdgeVector {
  const publicKey = KEY_POINT.add(T8).toBytes();
  const r = times(Point.BASE, NONCE).add(T8.negate()).toBytes();
  const message = messageWith(r, publicKey, (k) => k % 8n === 1n);
  const signature = signatureWith(r, NONCE, publicKey, SECRET, message);
  return { title: "A = aB + T8 and R = rB - T8", publicKey, message, signature, valid: false, disputed: false };
}

/** The key of 32 zeros is a point of order 4: for every fourth message a signature of 64 zeros satisfies the equation. */
function allZero(): EdgeVector {
  const publicKey = new Uint8Array(32);
  const point = Point.fromBytes(publicKey);
  const message = messageWith(publicKey, publicKey, (k) =>
    times(point, k % 8n)
      .negate()
      .equals(point),
  );
  const title = "the all-zero key and an all-zero signature";
  return { title, publicKey, message, signature: new Uint8Array(64), valid: false, disputed: true };
}

/** All of them: ordinary ones, then strange R, then strange keys. */
export const EDGE_VECTORS: readonly EdgeVector[] = [...ordinary(), ...strangeR(), ...strangeKey()];
