import { BackendSelfTestError, passesSelfTest, type SignatureBackend } from "@quorate/crypto";
import { concat, EDGE_VECTORS, type EdgeVector, littleEndian } from "@quorate/crypto/edge-vectors";
import { chooseBackend, createNodeBackend, createNodeHasher, loadSodiumBackend } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import { bytesToHex, InvariantViolation, type PublicKey } from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { type RawEd25519, underValidityRule } from "../dist/signature-backend.js";
import { BACKENDS } from "./backends.ts";

const anySeed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const anyMessage = fc.uint8Array({ maxLength: 200 });

/** RFC 8032 §7.1, tests 1 to 3: seed, public key, message, signature. */
const RFC_8032: readonly (readonly [string, string, string, string])[] = [
  [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "",
    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
  ],
  [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "72",
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
  ],
  [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
    "af82",
    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
  ],
];

/** A library that accepts whatever it is asked. */
const ACCEPTING: RawEd25519 = {
  name: "noble",
  publicKeyOf: () => "" as PublicKey,
  sign: () => new Uint8Array(64),
  verifyCofactorless: () => true,
  isTorsionFree: () => true,
};

describe("a signature back end", () => {
  for (const backend of BACKENDS)
    it(`gives the answers of RFC 8032: ${backend.name}`, () => {
      for (const [seedHex, key, messageHex, signature] of RFC_8032) {
        const [seed, message] = [Buffer.from(seedHex, "hex"), Buffer.from(messageHex, "hex")];

        expect(backend.publicKeyOf(seed)).to.equal(key);
        expect(bytesToHex(backend.sign(seed, message))).to.equal(signature);
        expect(backend.verify(key as PublicKey, message, Buffer.from(signature, "hex"))).to.equal(true);
      }
    });

  it("makes the same keys and signatures as every other, and all accept them", () => {
    fc.assert(
      fc.property(anySeed, anyMessage, (seed, message) => {
        const keys = BACKENDS.map((backend) => backend.publicKeyOf(seed));
        const signatures = BACKENDS.map((backend) => bytesToHex(backend.sign(seed, message)));

        expect(new Set(keys).size).to.equal(1);
        expect(new Set(signatures).size).to.equal(1);
        for (const backend of BACKENDS)
          expect(backend.verify(keys[0]!, message, Buffer.from(signatures[0]!, "hex")), backend.name).to.equal(true);
      }),
      { numRuns: 25, seed: 8 },
    );
  });

  for (const backend of [...BACKENDS, createFakeBackend()]) {
    it(`refuses another message, key or signature: ${backend.name}`, () => {
      const [seed, other] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
      const [key, stranger] = [backend.publicKeyOf(seed), backend.publicKeyOf(other)];
      const message = Uint8Array.of(1, 2, 3);
      const signature = backend.sign(seed, message);

      expect(signature).to.have.lengthOf(64);
      expect(backend.verify(key, message, signature)).to.equal(true);
      expect(backend.verify(stranger, message, signature)).to.equal(false);
      expect(backend.verify(key, Uint8Array.of(1, 2), signature)).to.equal(false);
      expect(backend.verify(key, message, backend.sign(other, message))).to.equal(false);
      expect(backend.verify(key, message, signature.subarray(1))).to.equal(false);
      expect(backend.verify(key, message, concat(signature, Uint8Array.of(0)))).to.equal(false);
      expect(backend.verify("no key at all" as PublicKey, message, signature)).to.equal(false);
    });

    it(`takes seeds of 32 bytes only: ${backend.name}`, () => {
      for (const size of [0, 31, 33, 64]) {
        expect(() => backend.publicKeyOf(new Uint8Array(size)), `${size}`).to.throw(InvariantViolation);
        expect(() => backend.sign(new Uint8Array(size), new Uint8Array(1)), `${size}`).to.throw(InvariantViolation);
      }
    });
  }

  it("refuses by the bytes alone whatever a library might come to accept", () => {
    const accepting = underValidityRule(ACCEPTING);
    const judge = ({ publicKey, message, signature }: EdgeVector): boolean =>
      accepting.verify(bytesToHex(publicKey) as PublicKey, message, signature);
    const byBytes =
      /^(S |R is the identity|R = .·T8|R of small order|A = .·T8|A of small order|the all-zero|.* bytes$|an empty)/;
    const refused = EDGE_VECTORS.filter(({ title }) => byBytes.test(title));

    expect(refused).to.have.lengthOf.at.least(30);
    for (const vector of refused) expect(judge(vector), vector.title).to.equal(false);
    expect(judge(EDGE_VECTORS.find(({ valid }) => valid)!)).to.equal(true);
  });

  it("accepts S just below L and refuses L itself", () => {
    const accepting = underValidityRule(ACCEPTING);
    const { publicKey, signature } = EDGE_VECTORS.find(({ valid }) => valid)!;
    const withS = (s: bigint): boolean =>
      accepting.verify(
        bytesToHex(publicKey) as PublicKey,
        new Uint8Array(0),
        concat(signature.subarray(0, 32), littleEndian(s)),
      );
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;

    expect([0n, 1n, order - 1n, order, order + 1n, 2n ** 256n - 1n].map(withS)).to.deep.equal([
      true,
      true,
      true,
      false,
      false,
      false,
    ]);
  });

  it("takes a library that throws for one that refuses, and asks about a key once", () => {
    let asked = 0;
    const throwing: RawEd25519 = {
      ...ACCEPTING,
      verifyCofactorless: () => {
        throw new Error("out of order");
      },
      isTorsionFree: () => {
        asked += 1;
        return true;
      },
    };
    const { publicKey, message, signature } = EDGE_VECTORS.find(({ valid }) => valid)!;
    const backend = underValidityRule(throwing);
    const key = bytesToHex(publicKey) as PublicKey;

    expect(backend.verify(key, message, signature)).to.equal(false);
    expect(backend.verify(key, message, signature)).to.equal(false);
    expect(asked).to.equal(1);
    const unsure = underValidityRule({ ...throwing, isTorsionFree: throwing.verifyCofactorless as () => boolean });
    expect(unsure.isAdmissible(key)).to.equal(false);
  });
});

describe("the self-test", () => {
  const good = createNodeBackend();

  it("passes every back end", () => {
    for (const backend of BACKENDS) expect(passesSelfTest(backend), backend.name).to.equal(true);
  });

  it("fails a back end that accepts everything, refuses everything, admits everything or throws", () => {
    const bad: Partial<SignatureBackend>[] = [
      { verify: () => true },
      { verify: () => false },
      { isAdmissible: () => true },
      { sign: () => new Uint8Array(64) },
      {
        publicKeyOf: () => {
          throw new Error("not loaded");
        },
      },
    ];
    for (const change of bad) expect(passesSelfTest(alteredBackend(change)), JSON.stringify(change)).to.equal(false);
  });

  it("fails a back end whose library multiplies by the cofactor", () => {
    const torsionSignature = "e87997aa4252662127e6038862cb4548";
    const cofactored = alteredBackend({
      verify: (key, message, signature) =>
        bytesToHex(signature).startsWith(torsionSignature) || good.verify(key, message, signature),
    });

    expect(passesSelfTest(cofactored)).to.equal(false);
  });

  it("names the back end and what to do when there is no other", () => {
    expect(new BackendSelfTestError("node").message).to.match(/node failed its self-test.*use another version/);
  });

  function alteredBackend(change: Partial<SignatureBackend>): SignatureBackend {
    return {
      name: "node",
      publicKeyOf: (seed) => good.publicKeyOf(seed),
      sign: (seed, message) => good.sign(seed, message),
      verify: (key, message, signature) => good.verify(key, message, signature),
      isAdmissible: (key) => good.isAdmissible(key),
      ...change,
    };
  }
});

describe("the choice of a back end", () => {
  it("is libsodium where it loads, else node, and the name says which", async () => {
    const sodium = await loadSodiumBackend();

    expect((await chooseBackend()).name).to.equal(sodium === undefined ? "node" : "sodium");
  });
});

describe("the fake back end", () => {
  const seed = new Uint8Array(32).fill(5);

  it("is deterministic across instances and hashers", () => {
    const [first, second] = [createFakeBackend(), createFakeBackend(createNodeHasher())];
    const message = Uint8Array.of(7);

    expect(first.publicKeyOf(seed)).to.equal(second.publicKeyOf(seed));
    expect(first.sign(seed, message)).to.deep.equal(second.sign(seed, message));
  });

  it("admits and believes only keys that this instance derived", () => {
    const [mine, other] = [createFakeBackend(), createFakeBackend()];
    const key = mine.publicKeyOf(seed);
    const signature = mine.sign(seed, Uint8Array.of(7));

    expect([mine.isAdmissible(key), other.isAdmissible(key)]).to.deep.equal([true, false]);
    expect(mine.verify(key, Uint8Array.of(7), signature)).to.equal(true);
    expect(other.verify(key, Uint8Array.of(7), signature)).to.equal(false);
  });
});
