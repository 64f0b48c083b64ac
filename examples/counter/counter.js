/** The service: what every replica runs. Deterministic, as all that `defineService` is given must be. */
import { defineService, integer, operation, Refusal, text } from "quorate/service";

export const service = defineService({
  increment: operation([text, integer], ({ state }, name, by) => {
    const sum = (state.get(name) ?? 0) + by;
    if (!Number.isSafeInteger(sum)) throw new Refusal(`${name} would become ${sum}, which is no longer exact`);
    state.set(name, sum);
    return sum;
  }),
  list: operation([], ({ state }) => [...state.entries()]),
});
