import type { Marks } from "../marks.ts";
import { FRAME_MUTATIONS, REQUEST_MUTATIONS, SERVER_FRAME_MUTATIONS } from "./frames.ts";

/** Of a replica's mutation, of its replay of something old, and of a client's mutation: what the marks begin with. */
export const MUTATED = "mutated ";
export const REPLAYED = "replayed ";

const FROM_REPLICAS = [...FRAME_MUTATIONS, ...SERVER_FRAME_MUTATIONS].map(({ path }) => path);

/** All marks of mutations, one for each field of each type of frame. */
const MUTATION_MARKS: readonly string[] = [
  ...FROM_REPLICAS.map((path) => `byzantine: ${MUTATED}${path}`),
  ...REQUEST_MUTATIONS.map(({ path }) => `faulty client: ${MUTATED}${path}`),
];

/** Whether a mark tells of one field only. */
export function isMutationMark(mark: string): boolean {
  return MUTATION_MARKS.includes(mark);
}

/** How many fields there are to mutate, and the marks of those that never were. */
export function mutationCoverage(marks: Marks): { readonly fields: number; readonly never: readonly string[] } {
  return { fields: MUTATION_MARKS.length, never: marks.missing(MUTATION_MARKS) };
}

/**
 * Whether a campaign may never come to this field: a page with all its values goes only to who has nothing at all in its place,
 * and seldom from one that mutates. A test of its own has them all mutated.
 */
export function isSeldomMutated(mark: string): boolean {
  return mark.startsWith(`byzantine: ${MUTATED}state-chunk.chunk.items.[].whole.`);
}

/**
 * Whether too few runs come to this field to demand it: a liar that mutates must be beside a change of configuration, or beside one
 * that lags an epoch behind.
 */
export function isOfOtherEpochs(mark: string): boolean {
  return /(?:\breconfiguration|mutated fetch-epochs|mutated epoch-links|mutated fetch-history|mutated state-read)\./.test(
    mark,
  );
}
