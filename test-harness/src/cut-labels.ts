/** One direction between two ends that carries nothing. */
export type CutDirection = readonly [from: string, to: string];

/** What a cut means to each end that it concerns, in words for a picture. */
export function cutLabels(directions: readonly CutDirection[]): ReadonlyMap<string, string> {
  const ends = [...new Set(directions.flat())].sort();
  return new Map(ends.map((end) => [end, labelOf(end, directions)]));
}

function labelOf(end: string, directions: readonly CutDirection[]): string {
  const deafTo = new Set(directions.flatMap(([from, to]) => (to === end ? [from] : [])));
  const unheardBy = new Set(directions.flatMap(([from, to]) => (from === end ? [to] : [])));
  const parts: readonly (readonly [words: string, ends: readonly string[]])[] = [
    ["cut from", [...deafTo].filter((other) => unheardBy.has(other))],
    ["does not hear", [...deafTo].filter((other) => !unheardBy.has(other))],
    ["is not heard by", [...unheardBy].filter((other) => !deafTo.has(other))],
  ];
  return parts
    .flatMap(([words, ends]) => (ends.length === 0 ? [] : [`${words} ${ends.toSorted().join(", ")}`]))
    .join("; ");
}
