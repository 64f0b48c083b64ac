/** Thrown when this replica's own code is wrong. Never thrown for what a peer or a client sent; it stops the process. */
export class InvariantViolation extends Error {
  readonly code: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, facts: Readonly<Record<string, unknown>>) {
    super(`invariant ${code} does not hold: ${JSON.stringify(facts)}`);
    this.name = "InvariantViolation";
    this.code = code;
    this.facts = facts;
  }
}

/**
 * Asserts what must be true whatever others send; on in production.
 *
 * @throws InvariantViolation when `condition` is false.
 */
export function invariant(
  condition: boolean,
  code: string,
  facts: Readonly<Record<string, unknown>> = {},
): asserts condition {
  if (!condition) throw new InvariantViolation(code, facts);
}

/** Marks a branch that the compiler has shown to be empty. */
export function assertNever(value: never): never {
  throw new InvariantViolation("unreachable", { value });
}
