/// <reference path="../src/sodium-native.d.ts" />
import { createPublicKey, verify } from "node:crypto";
import { hashes, verify as nobleVerify } from "@noble/ed25519";
import { sha512 } from "@noble/hashes/sha2.js";
import { createNobleBackend } from "@quorate/crypto";
import {
  concat,
  EDGE_VECTORS,
  type EdgeVector,
  NEGATIVE_ZERO,
  NON_CANONICAL,
  TORSION,
} from "@quorate/crypto/edge-vectors";
import { bytesToHex, type PublicKey } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { BACKENDS } from "./backends.ts";

hashes.sha512 = sha512;

function keyOf(bytes: Uint8Array): PublicKey {
  return bytesToHex(bytes) as PublicKey;
}

function attempt(verdict: () => boolean): boolean {
  try {
    return verdict();
  } catch {
    return false;
  }
}

/** Libraries as they come, without the rule around them. */
const RAW: Record<string, (vector: EdgeVector) => boolean> = {
  "noble, ZIP 215": (v) => nobleVerify(v.signature, v.message, v.publicKey),
  "noble, strict": (v) => nobleVerify(v.signature, v.message, v.publicKey, { zip215: false }),
  node: ({ publicKey, message, signature }) => {
    const x = Buffer.from(publicKey).toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, message, key, signature);
  },
};
const library = await import("sodium-native").catch(() => undefined);
if (library !== undefined)
  RAW.sodium = (v) => library.default.crypto_sign_verify_detached(v.signature, v.message, v.publicKey);

describe("the validity rule", () => {
  for (const backend of BACKENDS)
    describe(`over ${backend.name}`, () => {
      for (const { title, publicKey, message, signature, valid } of EDGE_VECTORS)
        it(`${valid ? "accepts" : "refuses"} ${title}`, () => {
          expect(backend.verify(keyOf(publicKey), message, signature)).to.equal(valid);
        });

      it("refuses a valid signature with a byte more", () => {
        const { publicKey, message, signature } = EDGE_VECTORS.find((vector) => vector.valid)!;

        expect(backend.verify(keyOf(publicKey), message, concat(signature, Uint8Array.of(0)))).to.equal(false);
      });

      it("admits no key of small or mixed order, and none that is spelled in a second way", () => {
        const mixed = EDGE_VECTORS.filter(({ title }) => title.startsWith("A = aB")).map((v) => v.publicKey);
        const small = TORSION.map((point) => point.toBytes());

        expect(mixed).to.have.lengthOf(9);
        for (const key of [...mixed, ...small, ...NON_CANONICAL, ...NEGATIVE_ZERO, new Uint8Array(32)])
          expect(backend.isAdmissible(keyOf(key)), bytesToHex(key)).to.equal(false);
      });

      it("admits the key of an ordinary seed, with the same verdict when asked again", () => {
        const key = backend.publicKeyOf(new Uint8Array(32).fill(9));

        expect([backend.isAdmissible(key), backend.isAdmissible(key)]).to.deep.equal([true, true]);
      });

      it("admits nothing that is not 32 bytes in lower-case hex", () => {
        const key = backend.publicKeyOf(new Uint8Array(32).fill(9));

        for (const wrong of ["", key.slice(2), `${key}00`, key.toUpperCase(), "zz".repeat(32)])
          expect(backend.isAdmissible(wrong as PublicKey), wrong).to.equal(false);
      });
    });

  it("gives one verdict over all back ends for keys that are random bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (bytes) => {
        const verdicts = BACKENDS.map((backend) => backend.isAdmissible(keyOf(bytes)));

        expect(new Set(verdicts).size, JSON.stringify(verdicts)).to.equal(1);
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it("gives one verdict over all back ends for edge vectors with a bit flipped anywhere", () => {
    const anyVector = fc.constantFrom(...EDGE_VECTORS.filter(({ signature }) => signature.length === 64));
    fc.assert(
      fc.property(anyVector, fc.nat(96 * 8 - 1), (vector, bit) => {
        const bytes = concat(vector.publicKey, vector.signature);
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        const [publicKey, signature] = [keyOf(bytes.subarray(0, 32)), bytes.subarray(32)];
        const verdicts = BACKENDS.map((backend) => backend.verify(publicKey, vector.message, signature));

        expect(new Set(verdicts).size, JSON.stringify(verdicts)).to.equal(1);
      }),
      { numRuns: 150, seed: 2 },
    );
  });
});

describe("ed25519 libraries without the rule", () => {
  const verdictsOf = (vector: EdgeVector): Record<string, boolean> =>
    Object.fromEntries(Object.entries(RAW).map(([name, judge]) => [name, attempt(() => judge(vector))]));

  /** Of libraries here, only libsodium refuses this one; some versions of Node do too. */
  const needsSodium = ({ title }: EdgeVector): boolean => title === "R is the identity";
  for (const vector of EDGE_VECTORS.filter((v) => v.disputed && (library !== undefined || !needsSodium(v))))
    it(`disagree on ${vector.title}`, () => {
      const verdicts = verdictsOf(vector);

      expect(new Set(Object.values(verdicts)).size, JSON.stringify(verdicts)).to.equal(2);
    });

  it("agree on an ordinary signature", () => {
    const verdicts = Object.values(verdictsOf(EDGE_VECTORS.find((vector) => vector.valid)!));

    expect(verdicts).to.deep.equal(verdicts.map(() => true));
  });

  it("all accept a key of mixed order where the challenge hides it: only admission can refuse it", () => {
    const vector = EDGE_VECTORS.find(({ title }) => title === "A = aB + 1·T8, k divisible by 8")!;
    const verdicts = Object.values(verdictsOf(vector));

    expect(verdicts).to.deep.equal(verdicts.map(() => true));
    expect(createNobleBackend().verify(keyOf(vector.publicKey), vector.message, vector.signature)).to.equal(false);
  });
});
