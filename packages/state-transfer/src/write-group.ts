import type { Change } from "@quorate/protocol";
import type { TreeChanges } from "@quorate/state-tree";

/** Changes of one atomic group: of several for one key the last one counts. */
export class WriteGroup {
  readonly #state = new Map<string, Change>();
  readonly #local = new Map<string, Change>();

  state(key: Uint8Array, value: Uint8Array | undefined): void {
    this.#state.set(nameOf(key), { key, value });
  }

  local({ key, value }: Change): void {
    this.#local.set(nameOf(key), { key, value });
  }

  /** What the group does to a key of the local part; undefined when nothing. */
  changeOfLocal(key: Uint8Array): Change | undefined {
    return this.#local.get(nameOf(key));
  }

  get changes(): TreeChanges | undefined {
    if (this.#state.size === 0 && this.#local.size === 0) return undefined;
    return { state: [...this.#state.values()], local: [...this.#local.values()] };
  }
}

/** Bytes as a string of one character each. */
function nameOf(key: Uint8Array): string {
  return Reflect.apply(String.fromCharCode, undefined, key) as string;
}
