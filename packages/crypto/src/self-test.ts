import { bytesToHex, hexToBytes, publicKey } from "@quorate/protocol";
import type { BackendName, SignatureBackend } from "./signature-backend.ts";

/** RFC 8032 §7.1, test 1: the message is empty. */
const SEED = hexToBytes("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
const PUBLIC_KEY = publicKey("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
const SIGNATURE =
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b";
const MESSAGE = new Uint8Array(0);

/** Signatures that the holder of that key can make, that some library accepts, and that the rule refuses. */
const REFUSED: readonly string[] = [
  // S + L
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901554c8c7872aa064e049dbb3013fbf29380d25bf5f0595bbe24655141438e7a101b",
  // R is the identity
  "0100000000000000000000000000000000000000000000000000000000000000756cf9b1d6f0d7a979b9d2af3dc2bc1294ec7cb6daa20eaff534c024fc57920f",
  // R = rB + a point of order 8: only an equation times the cofactor holds. No check of bytes stops this one.
  "e87997aa4252662127e6038862cb45483f6abf88fac62efe41e9e2a76f24444310aaecf060159cb6f1f8f9dfdcbbb17388aeac2d1bcf0322c8075e84357f3d0e",
];

/** The same key plus a point of order 8, with a signature that satisfies the equation without the cofactor. */
const MIXED_ORDER_KEY = publicKey("9158312a9a8d6e3b34c891d6d61444f8b8211c5117ebad15bdb0bd68b07e0245");
const MIXED_ORDER_SIGNATURE =
  "5866666666666666666666666666666666666666666666666666666666666666cece45fdd0e9e91cf34c479f7aae25a1bf35edab2276ec0b154a960b32e3da00";

/** A back end does not judge as the validity rule says: this process must not take part in a cluster with it. */
export class BackendSelfTestError extends Error {
  readonly code = "crypto.self-test";
  readonly backend: BackendName;

  constructor(backend: BackendName) {
    super(
      `the signature back end ${backend} failed its self-test: it does not sign or judge as the validity rule says; ` +
        "use another version of Node.js or of libsodium, and report this",
    );
    this.name = "BackendSelfTestError";
    this.backend = backend;
  }
}

/**
 * Known answers, asked once at start-up: a key and a signature are as in RFC 8032, the good one is accepted, those that
 * libraries disagree on are refused. False also when the back end throws.
 */
export function passesSelfTest(backend: SignatureBackend): boolean {
  try {
    return (
      backend.publicKeyOf(SEED) === PUBLIC_KEY &&
      bytesToHex(backend.sign(SEED, MESSAGE)) === SIGNATURE &&
      backend.isAdmissible(PUBLIC_KEY) &&
      !backend.isAdmissible(MIXED_ORDER_KEY) &&
      backend.verify(PUBLIC_KEY, MESSAGE, hexToBytes(SIGNATURE)) &&
      !REFUSED.some((signature) => backend.verify(PUBLIC_KEY, MESSAGE, hexToBytes(signature))) &&
      !backend.verify(MIXED_ORDER_KEY, MESSAGE, hexToBytes(MIXED_ORDER_SIGNATURE))
    );
  } catch {
    return false;
  }
}
