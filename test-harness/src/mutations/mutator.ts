import type { Prng } from "../prng.ts";
import { type Mutation, type Mutations, typeOf } from "./mutation.ts";

/** Draws that may fail, for want of an element to change, before nothing is changed. */
const ATTEMPTS_MAX = 12;

/** A value with one thing wrong, and what. */
export interface Mutated<T> {
  readonly value: T;
  readonly path: string;
}

/** Draws mutations of values of one type, those that it has drawn least before the others. */
export class Mutator<T> {
  /** By the type that their paths begin with. */
  readonly #mutations = new Map<string, Mutation<T>[]>();
  readonly #prng: Prng;
  readonly #uses = new Map<string, number>();

  constructor(mutations: Mutations<T>, prng: Prng) {
    this.#prng = prng;
    for (const mutation of mutations) {
      const type = typeOf(mutation.path);
      this.#mutations.set(type, [...(this.#mutations.get(type) ?? []), mutation]);
    }
  }

  /** @param type the frame's; only what is listed for it is drawn. */
  mutate(type: string, value: T): Mutated<T> | undefined {
    const own = this.#mutations.get(type) ?? [];
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const [a, b] = [this.#draw(own), this.#draw(own)];
      if (a === undefined || b === undefined) return undefined;
      const { path, mutate } = this.#usesOf(a) <= this.#usesOf(b) ? a : b;
      const changed = mutate(value, { prng: this.#prng });
      if (changed === undefined) continue;
      this.#uses.set(path, (this.#uses.get(path) ?? 0) + 1);
      return { value: changed, path };
    }
    return undefined;
  }

  #draw(mutations: Mutations<T>): Mutation<T> | undefined {
    return mutations[this.#prng.integer(0, mutations.length - 1)];
  }

  #usesOf({ path }: Mutation<T>): number {
    return this.#uses.get(path) ?? 0;
  }
}
