import { DEPTH_MAX, type DecodeErrorCode, preScan } from "@quorate/codec";
import { expect } from "chai";
import { array, bytes, header, text, uint } from "./cbor-bytes.ts";

const LIMITS = { bytesMax: 200_000, itemsMax: 1000, elementsMax: 990 };
const scan = (input: readonly number[]): DecodeErrorCode | "accepted" =>
  preScan(Uint8Array.from(input), LIMITS)?.code ?? "accepted";

describe("pre-scan", () => {
  const accepted: Readonly<Record<string, readonly number[]>> = {
    "the smallest integer": uint(0),
    "23, the last in one byte": uint(23),
    "24, the first in two": uint(24),
    "255": uint(255),
    "256": uint(256),
    "65535": uint(65_535),
    "65536": uint(65_536),
    "2^32-1": uint(2 ** 32 - 1),
    "2^32": uint(2 ** 32),
    "2^53-1, the greatest": uint(2 ** 53 - 1),
    "an empty byte string": bytes([]),
    "a byte string of 24": bytes(new Uint8Array(24)),
    "a byte string of 65536": bytes(new Uint8Array(65_536)),
    "an empty text": text(""),
    "text of every UTF-8 length": text("a é 漢 🜁 \u{10ffff} \ud7ff \ue000"),
    "__proto__ as text": text("__proto__"),
    "an empty array": array(),
    "arrays in arrays to the bound": [...new Array(DEPTH_MAX).fill(0x81).slice(1), 0x80],
    "an array of each": array(uint(1), bytes([1]), text("a"), array(array(), uint(5))),
  };
  for (const [name, input] of Object.entries(accepted))
    it(`accepts ${name}`, () => {
      expect(scan(input)).to.equal("accepted");
    });

  const refused: Readonly<Record<string, readonly [readonly number[], DecodeErrorCode]>> = {
    nothing: [[], "truncated"],
    "two values in one frame": [[...uint(1), ...uint(2)], "trailing-bytes"],
    "a byte behind a string": [[...bytes([1]), 0], "trailing-bytes"],
    "23 in two bytes": [uint(23, 1), "not-shortest"],
    "255 in three": [uint(255, 2), "not-shortest"],
    "65535 in five": [uint(65_535, 4), "not-shortest"],
    "2^32-1 in nine": [uint(2 ** 32 - 1, 8), "not-shortest"],
    "a string length in a longer form": [[...header(2, 1, 1), 7], "not-shortest"],
    "an array length in a longer form": [[...header(4, 1, 8), 7], "not-shortest"],
    "2^53": [uint(2n ** 53n), "integer-too-large"],
    "2^64-1": [uint(2n ** 64n - 1n), "integer-too-large"],
    "a byte string that claims 2^64-1 bytes": [header(2, 2n ** 64n - 1n), "integer-too-large"],
    "an array that claims 2^64-1 elements": [header(4, 2n ** 64n - 1n), "integer-too-large"],
    "a byte string that claims 2^53-1 bytes": [header(2, 2 ** 53 - 1), "truncated"],
    "a text that claims 2^31 bytes": [header(3, 2 ** 31), "truncated"],
    "an array that claims 2^32-1 elements": [header(4, 2 ** 32 - 1), "truncated"],
    "an array that lacks its last element": [array(uint(1)).concat([]).with(0, 0x82), "truncated"],
    "a byte string one byte short": [bytes([1, 2, 3]).slice(0, -1), "truncated"],
    "half a header": [[0x1b, 0, 0], "truncated"],
    "-1": [[0x20], "forbidden-type"],
    "-2^64": [header(1, 2n ** 64n - 1n), "forbidden-type"],
    "an empty map": [[0xa0], "forbidden-type"],
    "a map with __proto__": [[0xa1, ...text("__proto__"), 0xa0], "forbidden-type"],
    "a map with then": [[0xa1, ...text("then"), ...uint(1)], "forbidden-type"],
    "a map with duplicate keys": [[0xa2, ...uint(1), ...uint(2), ...uint(1), ...uint(2)], "forbidden-type"],
    "a tagged date": [[0xc1, ...uint(1)], "forbidden-type"],
    "a bignum": [[0xc2, ...bytes([1, 0, 0, 0, 0, 0, 0, 0, 0])], "forbidden-type"],
    "a tagged typed array": [[0xd8, 64, ...bytes([1])], "forbidden-type"],
    "a cbor-x record": [[0xd9, 0xdf, 0xff, 0x83, 0x19, 0xe0, 0, 0x81, 0x61, 0x61, 0x01], "forbidden-type"],
    "a cbor-x string bundle": [[0xd9, 0xdf, 0xf9, 0x82, 0x1a, 0, 0, 0, 1, 0x60], "forbidden-type"],
    "a shared reference": [[0xd8, 29, 0], "forbidden-type"],
    false: [[0xf4], "forbidden-type"],
    true: [[0xf5], "forbidden-type"],
    null: [[0xf6], "forbidden-type"],
    undefined: [[0xf7], "forbidden-type"],
    "a simple value of two bytes": [[0xf8, 0x20], "forbidden-type"],
    "1.0 in two bytes": [[0xf9, 0x3c, 0x00], "forbidden-type"],
    "-0": [[0xf9, 0x80, 0x00], "forbidden-type"],
    NaN: [[0xf9, 0x7e, 0x00], "forbidden-type"],
    "Infinity in four bytes": [[0xfa, 0x7f, 0x80, 0, 0], "forbidden-type"],
    "a double": [[0xfb, 0x40, 0x09, 0x21, 0xfb, 0x54, 0x44, 0x2d, 0x18], "forbidden-type"],
    "a break": [[0xff], "forbidden-type"],
    "an indefinite array": [[0x9f, 0x01, 0xff], "forbidden-type"],
    "an indefinite byte string": [[0x5f, 0x41, 0x01, 0xff], "forbidden-type"],
    "an indefinite text": [[0x7f, 0x61, 0x61, 0xff], "forbidden-type"],
    "an indefinite integer": [[0x1f], "forbidden-type"],
    "a reserved header 28": [[0x1c], "forbidden-type"],
    "a reserved header 30 of an array": [[0x9e], "forbidden-type"],
    "one array too deep": [[...new Array(DEPTH_MAX).fill(0x81), 0x80], "too-deep"],
    "40 KB of nested headers": [[...new Array(40_000).fill(0x81), 0x00], "too-deep"],
    "40 KB of nested tags": [[...new Array(40_000).fill(0xc1), 0x00], "forbidden-type"],
    "40 KB of open indefinite arrays": [new Array(40_000).fill(0x9f), "forbidden-type"],
    "more items than any frame has": [
      [0x82, ...header(4, 990), ...new Array(990).fill(0), ...header(4, 9), ...new Array(9).fill(0)],
      "too-large",
    ],
    "more elements than any list has": [[...header(4, 991), ...new Array(991).fill(0)], "too-many"],
    "more bytes than any frame has": [new Array(200_001).fill(0), "too-large"],
    "a lone continuation byte": [[0x61, 0x80], "invalid-utf8"],
    "an overlong NUL": [[0x62, 0xc0, 0x80], "invalid-utf8"],
    "an overlong three-byte form": [[0x63, 0xe0, 0x9f, 0xbf], "invalid-utf8"],
    "an overlong four-byte form": [[0x64, 0xf0, 0x8f, 0xbf, 0xbf], "invalid-utf8"],
    "a surrogate in UTF-8": [[0x63, 0xed, 0xa0, 0x80], "invalid-utf8"],
    "a point above U+10FFFF": [[0x64, 0xf4, 0x90, 0x80, 0x80], "invalid-utf8"],
    "a five-byte form": [[0x65, 0xf8, 0x88, 0x80, 0x80, 0x80], "invalid-utf8"],
    "text that ends inside a character": [[0x62, 0xe6, 0xbc, 0xa2], "invalid-utf8"],
    "a character whose last byte is none": [[0x64, 0xf0, 0x9f, 0x9c, 0x41], "invalid-utf8"],
  };
  for (const [name, [input, code]] of Object.entries(refused))
    it(`refuses ${name}`, () => {
      expect(scan(input)).to.equal(code);
      if (code === "trailing-bytes" || code === "too-large") return;
      // Wherever it hides: as the last element of an array that is well-formed so far.
      expect(scan([0x82, 0x00, ...input])).to.equal(code);
    });

  it("says where the first fault is, what was expected and what came", () => {
    expect(preScan(Uint8Array.from(array(uint(1), [0xa0])), LIMITS)).to.deep.equal({
      code: "forbidden-type",
      path: "@2",
      expected: "an unsigned integer, byte string, text or array",
      got: "a map",
    });
  });

  it("agrees with the platform's decoder on which four bytes are UTF-8", () => {
    const edges = [
      0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc1, 0xc2, 0xe0, 0xe1, 0xed, 0xef, 0xf0, 0xf4, 0xf5,
    ];
    const firstTwo = edges.flatMap((a) => edges.map((b) => [a, b]));

    for (const head of firstTwo)
      for (const tail of firstTwo) {
        const content = [...head, ...tail];
        if ((scan([0x64, ...content]) === "accepted") !== isPlatformUtf8(content)) expect.fail(`disagrees: ${content}`);
      }
  });
});

const fatal = new TextDecoder("utf-8", { fatal: true });
function isPlatformUtf8(content: readonly number[]): boolean {
  try {
    fatal.decode(Uint8Array.from(content));
    return true;
  } catch {
    return false;
  }
}
