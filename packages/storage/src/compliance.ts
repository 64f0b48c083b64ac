/**
 * The suite that every implementation of `ReplicaStore` passes. It brings its own assertions and takes mocha's words
 * from the caller, so that it compiles and packs without a test framework.
 *
 * @packageDocumentation
 */
import { describeBulk } from "./compliance/bulk.ts";
import { describeFlushes } from "./compliance/flushes.ts";
import { describeHistory } from "./compliance/history.ts";
import { describeLog } from "./compliance/log.ts";
import { describeOrderedStores } from "./compliance/ordered-stores.ts";
import type { StoreSubject, Suite } from "./compliance/subject.ts";

export type { StoreSubject, Suite } from "./compliance/subject.ts";

/** Declares the suite for one implementation; call it once in a test file, with mocha's `describe` and `it`. */
export function storeCompliance(suite: Suite, subject: StoreSubject): void {
  suite.describe(`${subject.name} as a replica's store`, () => {
    describeLog(suite, subject);
    describeHistory(suite, subject);
    describeOrderedStores(suite, subject);
    describeFlushes(suite, subject);
    describeBulk(suite, subject);
  });
}
