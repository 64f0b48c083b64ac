/**
 * Who still hears whom. `ring`: each replica only its two neighbours. `bridge`: two groups, and one replica that is in
 * both. `one-way`: the first group is heard by the second, and hears nothing of it.
 */
export type LinkShape = "ring" | "bridge" | "one-way";

/** Whether what the replica at one place of the order sends reaches the one at another place. */
export function isLinked(shape: LinkShape, from: number, to: number, count: number): boolean {
  const half = Math.ceil(count / 2);
  switch (shape) {
    case "ring":
      return [1, count - 1].includes((to - from + count) % count);
    case "bridge":
      // The one at place 0 is the bridge.
      return from === 0 || to === 0 || from < half === to < half;
    case "one-way":
      return from < half || to >= half;
  }
}
