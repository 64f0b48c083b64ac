/**
 * The one validity rule (protocol rule 2.2), everything in it that needs no curve arithmetic. Ed25519 libraries disagree
 * on signatures that a dishonest key holder can make on purpose; these checks refuse all of them, so that what is left
 * is judged alike by every library.
 */
import { hexToBytes } from "@quorate/protocol";

/** Bytes of a seed. */
export const SEED_SIZE = 32;
/** Bytes of an encoded public key or of R. */
export const POINT_SIZE = 32;
/** Bytes of a signature: R, then S. */
export const SIGNATURE_SIZE = 64;

const SIGN_BIT = 0x80;

/** p = 2^255 - 19, little-endian. */
const FIELD_PRIME = hexToBytes("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f");
/** L, the order of the base point, little-endian. */
const GROUP_ORDER = hexToBytes("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");

/**
 * The y coordinates of the eight points whose order divides the cofactor; the sign bit tells apart the two points that
 * share one. Their only other encodings, y = p and y = p + 1, are not canonical.
 */
const SMALL_ORDER_Y: readonly Uint8Array[] = [
  "0000000000000000000000000000000000000000000000000000000000000000", // order 4
  "0100000000000000000000000000000000000000000000000000000000000000", // the identity
  "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // order 2
  "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", // order 8
  "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // order 8
].map(hexToBytes);

/**
 * What can be refused about an encoded point by its bytes alone: a wrong length, y ≥ p, an order that divides the
 * cofactor (which covers x = 0 with a set sign bit). Both A and R have to pass. Whether the rest is on the curve is for
 * the arithmetic to say.
 */
export function isPointEncodingAllowed(bytes: Uint8Array): boolean {
  return bytes.length === POINT_SIZE && isPointAllowed(bytes);
}

/** What can be refused about a signature by its bytes alone: 64 of them, R as above, S < L. */
export function isSignatureEncodingAllowed(signature: Uint8Array): boolean {
  return signature.length === SIGNATURE_SIZE && isScalarAllowed(signature) && isPointAllowed(signature);
}

/** Whether S, the second half of a signature, is below L; both are little-endian. */
function isScalarAllowed(signature: Uint8Array): boolean {
  for (let i = POINT_SIZE - 1; i >= 0; i--) {
    const difference = (signature[POINT_SIZE + i] ?? 0) - (GROUP_ORDER[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** As `isPointEncodingAllowed`, of the point in the first 32 bytes: a view of R for each signature would cost more. */
function isPointAllowed(bytes: Uint8Array): boolean {
  if (!isYCanonical(bytes)) return false;
  for (const y of SMALL_ORDER_Y) if (isSameY(bytes, y)) return false;
  return true;
}

function isYCanonical(bytes: Uint8Array): boolean {
  const top = bytes[POINT_SIZE - 1] ?? 0;
  if ((top & ~SIGN_BIT) !== 0x7f) return true;
  for (let i = POINT_SIZE - 2; i > 0; i--) if (bytes[i] !== 0xff) return true;
  return (bytes[0] ?? 0) < (FIELD_PRIME[0] ?? 0);
}

function isSameY(bytes: Uint8Array, y: Uint8Array): boolean {
  for (let i = 0; i < POINT_SIZE - 1; i++) if (bytes[i] !== y[i]) return false;
  return ((bytes[POINT_SIZE - 1] ?? 0) & ~SIGN_BIT) === y[POINT_SIZE - 1];
}
