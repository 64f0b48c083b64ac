import { InvalidArgumentError } from "commander";

/** Parses a non-negative integer. */
export function integer(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value)) throw new InvalidArgumentError("expected a whole number.");
  return value;
}

/** Parses an integer of at least one. */
export function positive(text: string): number {
  const value = integer(text);
  if (value < 1) throw new InvalidArgumentError("expected a whole number of at least 1.");
  return value;
}

/** Parses a TCP port. */
export function port(text: string): number {
  const value = integer(text);
  if (value < 1 || value > 65_535) throw new InvalidArgumentError("expected a port from 1 to 65535.");
  return value;
}

/** Takes the path of a file or folder; an empty one comes of a variable that is not set, and would mean the current folder. */
export function path(text: string): string {
  if (text === "") throw new InvalidArgumentError("expected a path, this is empty.");
  return text;
}

/** Gathers a repeated option. */
export function collect(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}
