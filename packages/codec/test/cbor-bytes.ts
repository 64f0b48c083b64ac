/** CBOR written by hand, in any form: what a correct encoder would never produce. */

/** A header of a major type, in the shortest form or in `width` bytes (0, 1, 2, 4, 8). */
export function header(major: number, argument: number | bigint, width?: 0 | 1 | 2 | 4 | 8): number[] {
  const value = BigInt(argument);
  const chosen = width ?? shortestWidth(value);
  if (chosen === 0) return [(major << 5) | Number(value)];
  const bytes = [(major << 5) | (24 + Math.log2(chosen))];
  for (let i = chosen - 1; i >= 0; i--) bytes.push(Number((value >> BigInt(8 * i)) & 255n));
  return bytes;
}

function shortestWidth(value: bigint): 0 | 1 | 2 | 4 | 8 {
  if (value < 24n) return 0;
  if (value < 0x100n) return 1;
  if (value < 0x1_0000n) return 2;
  return value < 0x1_0000_0000n ? 4 : 8;
}

export const uint = (value: number | bigint, width?: 0 | 1 | 2 | 4 | 8): number[] => header(0, value, width);
export const bytes = (content: ArrayLike<number>): number[] => [...header(2, content.length), ...Array.from(content)];
export const text = (content: string): number[] => {
  const utf8 = new TextEncoder().encode(content);
  return [...header(3, utf8.length), ...utf8];
};
export const array = (...items: readonly number[][]): number[] => [...header(4, items.length), ...items.flat()];
