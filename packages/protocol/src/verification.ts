/**
 * The one door through which a value becomes `Verified`. Only `@quorate/crypto` and its fakes may import this module;
 * the import rules of the workspace see to it.
 *
 * @packageDocumentation
 */
import type { Verified } from "./verified.ts";

/** Brands `value`. The caller has verified every signature in it, or has just made them. */
export function sealVerified<T extends object>(value: T): Verified<T> {
  return value as Verified<T>;
}
