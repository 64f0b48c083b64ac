import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { bytesToHex, hexToBytes, type PublicKey, publicKey } from "@quorate/protocol";
import { BoundedCache } from "./bounded-cache.ts";
import { isTorsionFreePoint } from "./noble-backend.ts";
import { SeedCache } from "./seed-cache.ts";
import { type RawEd25519, type SignatureBackend, underValidityRule } from "./signature-backend.ts";
import { POINT_SIZE } from "./validity-rule.ts";

const PUBLIC_KEYS_MAX = 16_384;

/** What DER puts before the 32 bytes of an ed25519 seed (PKCS #8) and of a public key (SPKI): RFC 8410 §7 and §4. */
const PKCS8_PREFIX = hexToBytes("302e020100300506032b657004220420");
const SPKI_PREFIX = hexToBytes("302a300506032b6570032100");

/** OpenSSL by way of `node:crypto`: always there, native, and not to be asked without the rule around it. */
export function createNodeBackend(): SignatureBackend {
  return underValidityRule(new NodeEd25519());
}

class NodeEd25519 implements RawEd25519 {
  readonly name = "node";
  readonly #privateKeys = new SeedCache<KeyObject>(privateKeyOf);
  readonly #publicKeys = new BoundedCache<PublicKey, KeyObject>(PUBLIC_KEYS_MAX);

  publicKeyOf(seed: Uint8Array): PublicKey {
    const der = createPublicKey(this.#privateKeys.keyOf(seed)).export({ format: "der", type: "spki" });
    return publicKey(bytesToHex(der.subarray(der.length - POINT_SIZE)));
  }

  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.#privateKeys.keyOf(seed)));
  }

  verifyCofactorless(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    return verify(null, message, this.#publicKeyObjectOf(key), signature);
  }

  isTorsionFree(point: Uint8Array): boolean {
    return isTorsionFreePoint(point);
  }

  #publicKeyObjectOf(key: PublicKey): KeyObject {
    const known = this.#publicKeys.get(key);
    if (known !== undefined) return known;
    const der = Buffer.concat([SPKI_PREFIX, hexToBytes(key)]);
    const object = createPublicKey({ key: der, format: "der", type: "spki" });
    this.#publicKeys.set(key, object);
    return object;
  }
}

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, seed]), format: "der", type: "pkcs8" });
}
