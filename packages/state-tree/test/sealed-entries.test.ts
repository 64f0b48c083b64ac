import { utf8 } from "@quorate/protocol";
import { bucketOf, leafDigest, pathOf, sealed, sealedEntries } from "@quorate/state-tree";
import { expect } from "chai";
import { hasher } from "./model.ts";

const values = ["", "one", "a longer one".repeat(200)].map(utf8);
const keys: Uint8Array[] = values.map((_, i) => utf8(`key ${i}`));
/** The order of their paths is no matter here. */
const bucket: Uint8Array = bucketOf(
  keys.map((key, i) => ({ key, path: pathOf(hasher, 2, key), digest: leafDigest(hasher, key, values[i]!) })),
);

describe("entries that come with their bucket", () => {
  it("are those that would be stored, in one piece of memory", () => {
    const records = sealedEntries(hasher, bucket, keys, values)!;
    expect(records).to.deep.equal(keys.map((key, i) => sealed(hasher, key, values[i]!)));
    expect(new Set(records.map((record) => record!.buffer)).size).to.equal(1);
  });

  it("may lack some", () => {
    const records = sealedEntries(hasher, bucket, keys, [values[0], undefined, values[2]])!;
    expect(records.map((record) => record === undefined)).to.deep.equal([false, true, false]);
    expect(records[2]).to.deep.equal(sealed(hasher, keys[2]!, values[2]!));
  });

  it("are none if one of them is not what its leaf says", () => {
    for (const place of [0, 1, 2]) {
      const wrong = values.map((value, i) => (i === place ? utf8("another") : value));
      expect(sealedEntries(hasher, bucket, keys, wrong), `${place}`).to.equal(undefined);
    }
  });
});
