import {
  approvalPreimage,
  bytesToHex,
  CHANGE_TYPE_CODES,
  epochNumber,
  genesisPreimage,
  InvariantViolation,
  MESSAGE_TYPE_CODES,
  REFUSAL_CODES,
  RESULT_STATUS_CODES,
  reconfigurationRequestPreimage,
  replicaId,
  replicaMessagePreimage,
  sequenceNumber,
  TAGS,
  timestampMs,
} from "@quorate/protocol";
import { expect } from "chai";
import fc from "fast-check";
import { clusterOf, digestOf, genesisWith, keyOf, membersOf } from "./builders.ts";
import { SAMPLES } from "./preimage-samples.ts";

describe("The preimage", () => {
  for (const { name, tag, bytes, size, changes } of SAMPLES) {
    it(`of ${name} begins with its tag and has the size of its fields`, () => {
      expect(bytes.length).to.equal(size);
      expect(bytesToHex(bytes.subarray(0, 16))).to.equal(Buffer.from(tag.padEnd(16, "\0")).toString("hex"));
    });

    it(`of ${name} changes with every field, each time to something else`, () => {
      const seen = new Map([[bytesToHex(bytes), "the original"]]);
      for (const [field, changed] of Object.entries(changes)) {
        const hex = bytesToHex(changed);
        expect(seen.get(hex), `${field} and`).to.equal(undefined);
        seen.set(hex, field);
      }
    });
  }

  it("of a reconfiguration has neither the approvals' signatures nor that of possession", () => {
    const request = {
      type: "reconfiguration",
      client: keyOf(1),
      epoch: epochNumber(0),
      nonce: digestOf(2),
      change: { type: "rotate-key", id: replicaId(1), publicKey: keyOf(3) },
      approvals: [{ key: keyOf(4), signature: Uint8Array.of(1) }],
      possession: Uint8Array.of(2),
    } as const;
    const other = {
      ...request,
      approvals: [{ key: keyOf(4), signature: Uint8Array.of(3, 4) }],
      possession: Uint8Array.of(5),
    };

    const preimages = [request, other].map((each) => bytesToHex(reconfigurationRequestPreimage(clusterOf(1), each)));

    expect(preimages[0]).to.equal(preimages[1]);
  });

  it("of an approval of a joiner is the same for a newer checkpoint that it has come to", () => {
    const member = { id: replicaId(4), publicKey: keyOf(3), address: "h:1" };
    const [older, newer] = [8, 16].map((seq) => {
      const checkpoint = { seq: sequenceNumber(seq), stateRoot: digestOf(seq) };
      const change = { type: "join", member, checkpoint } as const;
      return bytesToHex(approvalPreimage(clusterOf(1), { epoch: epochNumber(0), nonce: digestOf(2), change }));
    });

    expect(newer).to.equal(older);
  });

  it("has a sample for every tag, message type and change", () => {
    expect(new Set(SAMPLES.map((sample) => sample.tag))).to.deep.equal(new Set(Object.values(TAGS)));
    expect(SAMPLES.map((sample) => sample.name)).to.include.members(Object.keys(MESSAGE_TYPE_CODES));
    expect(SAMPLES.map((sample) => sample.name)).to.include.members(
      Object.keys(CHANGE_TYPE_CODES).map((type) => `approval of ${type}`),
    );
  });

  it("of one type is never that of another, nor a beginning of it", () => {
    for (const a of SAMPLES)
      for (const b of SAMPLES)
        if (a !== b) {
          const [whole, start] = [bytesToHex(b.bytes), bytesToHex(a.bytes)];
          expect(whole.startsWith(start), `${a.name} in ${b.name}`).to.equal(false);
        }
  });

  it("differs between the three votes with the same fields in the byte of the type alone", () => {
    const [prePrepare, prepare, commit] = ["pre-prepare", "prepare", "commit"].map(
      (name) => SAMPLES.find((sample) => sample.name === name)!.bytes,
    );
    const differing = (a: Uint8Array, b: Uint8Array): number[] => [...a.keys()].filter((at) => a[at] !== b[at]);

    expect(differing(prePrepare!, prepare!)).to.deep.equal([48]);
    expect(differing(prepare!, commit!)).to.deep.equal([48]);
  });

  it("begins with its own cluster, whichever cluster the one before was of", () => {
    const fetch = {
      type: "fetch-committed",
      epoch: epochNumber(0),
      first: sequenceNumber(1),
      last: sequenceNumber(1),
    } as const;

    for (const n of [1, 2, 2, 1, 3, 1]) {
      const preimage = replicaMessagePreimage(clusterOf(n), replicaId(1), fetch);
      expect(bytesToHex(preimage.subarray(16, 48))).to.equal(clusterOf(n));
      preimage.fill(0xee);
    }
  });

  it("of a message is refused for a counter that is none, whatever the type system was told", () => {
    for (const seq of [-1, 0.5, 2 ** 53, Number.NaN])
      expect(
        () =>
          replicaMessagePreimage(clusterOf(1), replicaId(1), {
            type: "checkpoint",
            epoch: 0,
            seq,
            stateRoot: digestOf(1),
          } as never),
        String(seq),
      ).to.throw(InvariantViolation);
  });
});

describe("Domain tags and codes", () => {
  it("are ASCII of at most 16 characters, and no two are the same", () => {
    const tags = Object.values(TAGS);

    for (const tag of tags) expect(tag).to.match(/^quorate-[a-z-]{3,8}$/);
    expect(new Set(tags).size).to.equal(tags.length);
  });

  it("of messages, results, changes and refusals are distinct bytes", () => {
    for (const table of [MESSAGE_TYPE_CODES, RESULT_STATUS_CODES, CHANGE_TYPE_CODES, REFUSAL_CODES]) {
      const codes = Object.values(table);
      expect(new Set(codes).size).to.equal(codes.length);
      for (const code of codes) expect(Number.isInteger(code) && code >= 0 && code < 256, String(code)).to.equal(true);
    }
  });
});

describe("The preimage of a genesis document", () => {
  it("does not depend on the order in which members, admins and clients are written", () => {
    const members = membersOf(7);
    const keys = [1, 2, 3, 4].map(keyOf);
    const clients = [11, 12, 13].map(keyOf);
    const hexOf = (m: typeof members, a: typeof keys, c: typeof clients): string =>
      bytesToHex(genesisPreimage(genesisWith({ members: m, admins: { threshold: 2, keys: a }, clients: c })));
    const expected = hexOf(members, keys, clients);

    fc.assert(
      fc.property(shuffled(members), shuffled(keys), shuffled(clients), (m, a, c) => hexOf(m, a, c) === expected),
    );
  });

  it("does not depend on the order of the document's own fields", () => {
    const genesis = genesisWith();
    const reversed = Object.fromEntries(Object.entries(genesis).reverse()) as typeof genesis;
    const limits = Object.fromEntries(Object.entries(genesis.limits).reverse()) as typeof genesis.limits;

    expect(bytesToHex(genesisPreimage({ ...reversed, limits }))).to.equal(bytesToHex(genesisPreimage(genesis)));
  });

  it("has every field of the state that it starts from, and nothing of it when it starts with nothing", () => {
    const restored = {
      cluster: clusterOf(1),
      checkpoint: sequenceNumber(8),
      applicationRoot: digestOf(1),
      entries: 3,
      timestampMs: timestampMs(1000),
    };
    const changed = {
      cluster: clusterOf(2),
      checkpoint: sequenceNumber(9),
      applicationRoot: digestOf(2),
      entries: 4,
      timestampMs: timestampMs(1001),
    };
    const hexOf = (state: typeof restored): string => bytesToHex(genesisPreimage(genesisWith({ restored: state })));
    const all = Object.keys(restored).map((field) =>
      hexOf({ ...restored, [field]: changed[field as keyof typeof changed] }),
    );

    expect(new Set([...all, hexOf(restored), bytesToHex(genesisPreimage(genesisWith()))]).size).to.equal(7);
    expect(hexOf(restored).startsWith(bytesToHex(genesisPreimage(genesisWith())))).to.equal(true);
  });

  it("leaves the document as it is", () => {
    const genesis = genesisWith({ members: membersOf(4).reverse(), clients: [keyOf(9), keyOf(8)] });
    const before = JSON.stringify(genesis);

    genesisPreimage(genesis);

    expect(JSON.stringify(genesis)).to.equal(before);
  });

  it("has a name of any characters in it by its UTF-8", () => {
    const size = (name: string): number => genesisPreimage(genesisWith({ name })).length;

    expect(size("é€𝄞") - size("")).to.equal(2 + 3 + 4);
  });
});

function shuffled<T>(values: readonly T[]): fc.Arbitrary<T[]> {
  return fc.shuffledSubarray([...values], { minLength: values.length });
}
