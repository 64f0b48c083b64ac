import { invariant } from "./invariant.ts";

/**
 * Whether `bytes[from … to)` is well-formed UTF-8 (RFC 3629): no overlong form, surrogate, stray continuation or point
 * above U+10FFFF. Reads nothing outside the range.
 */
export function isUtf8(bytes: Uint8Array, from: number, to: number): boolean {
  let at = from;
  while (at < to) {
    const length = sequenceLength(bytes, at, to);
    if (length === 0) return false;
    at += length;
  }
  return true;
}

/**
 * The text that `utf8` made these bytes of. What looks like a byte order mark is a character as any other: nothing is left out of
 * what was signed.
 *
 * @throws InvariantViolation for what is not well-formed: whoever reads what others wrote looks with `isUtf8` before.
 */
export function utf8Text(bytes: Uint8Array): string {
  invariant(isUtf8(bytes, 0, bytes.length), "bytes.utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const lead = bytes[at++] ?? 0;
    const length = lengthOfLead(lead);
    let point = length === 0 ? lead : lead & (0x7f >> length);
    for (let i = 1; i < length; i++) point = (point << 6) | ((bytes[at++] ?? 0) & 0x3f);
    text += String.fromCodePoint(point);
  }
  return text;
}

/** The length of the well-formed sequence at `at`, or 0. */
function sequenceLength(bytes: Uint8Array, at: number, to: number): number {
  const lead = bytes[at] ?? 0;
  if (lead < 0x80) return 1;
  const length = lengthOfLead(lead);
  if (length === 0 || at + length > to) return 0;
  const second = bytes[at + 1] ?? 0;
  if (second < leastSecond(lead) || second > greatestSecond(lead)) return 0;
  for (let i = 2; i < length; i++) if (((bytes[at + i] ?? 0) & 0xc0) !== 0x80) return 0;
  return length;
}

function lengthOfLead(lead: number): number {
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}
function leastSecond(lead: number): number {
  if (lead === 0xe0) return 0xa0;
  return lead === 0xf0 ? 0x90 : 0x80;
}
function greatestSecond(lead: number): number {
  if (lead === 0xed) return 0x9f;
  return lead === 0xf4 ? 0x8f : 0xbf;
}
