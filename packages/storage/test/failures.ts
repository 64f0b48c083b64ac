import { StorageError } from "@quorate/storage";
import { expect } from "chai";

function failureOf(action: () => unknown): StorageError {
  try {
    action();
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error("expected a StorageError, nothing was thrown");
}

/** Expects a StorageError of one line that says all this. */
export function expectFailure(action: () => unknown, code: string, ...said: string[]): void {
  const failure = failureOf(action);
  expect(failure.code).to.equal(code);
  expect(failure.message).to.not.include("\n");
  for (const part of said) expect(failure.message).to.include(part);
}
