import { copyBytes } from "@quorate/protocol";
import type { Overlay } from "./overlay.ts";
import { OPERATION_CHANGES_MAX, STATE_KEY_BYTES_MAX, StateAccessError, type StateStore } from "./service.ts";
import { APPLICATION_END, APPLICATION_START, applicationKey } from "./state-keys.ts";

/**
 * The state as one operation of the service sees it: its own part only, by copies only, within the limits, and only
 * until the operation has ended.
 */
export class StateView implements StateStore {
  readonly #overlay: Overlay;
  readonly #valueBytesMax: number;
  #changesLeft: number;
  #isOpen = true;

  constructor(overlay: Overlay, valueBytesMax: number, changesMax: number = OPERATION_CHANGES_MAX) {
    this.#overlay = overlay;
    this.#valueBytesMax = valueBytesMax;
    this.#changesLeft = changesMax;
  }

  get(key: Uint8Array): Uint8Array | undefined {
    const value = this.#overlay.get(this.#checkedKey(key));
    return value && copyBytes(value);
  }

  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    const first = this.#checkedKey(from);
    const end = to === undefined ? APPLICATION_END : this.#checkedKey(to);
    for (const [key, value] of this.#overlay.range(first, end)) {
      // Not `slice`: a store may hand out Buffers, of which that is no copy and no plain array (decision 0028).
      yield [copyBytes(key.subarray(APPLICATION_START.length)), copyBytes(value)];
      this.#checkOpen();
    }
  }

  put(key: Uint8Array, value: Uint8Array): void {
    const checked = this.#checkedKey(key);
    if (value.length > this.#valueBytesMax)
      throw new StateAccessError(
        "state.value-too-long",
        `a value has ${value.length} bytes, at most ${this.#valueBytesMax} are allowed`,
      );
    this.#countChange();
    this.#overlay.put(checked, copyBytes(value));
  }

  delete(key: Uint8Array): void {
    const checked = this.#checkedKey(key);
    this.#countChange();
    this.#overlay.put(checked, undefined);
  }

  /** After this every use throws. */
  close(): void {
    this.#isOpen = false;
  }

  #checkedKey(key: Uint8Array): Uint8Array {
    this.#checkOpen();
    if (key.length > STATE_KEY_BYTES_MAX)
      throw new StateAccessError(
        "state.key-too-long",
        `a key has ${key.length} bytes, at most ${STATE_KEY_BYTES_MAX} are allowed`,
      );
    return applicationKey(key);
  }

  #countChange(): void {
    if (this.#changesLeft === 0)
      throw new StateAccessError(
        "state.too-many-changes",
        `one operation may change at most ${OPERATION_CHANGES_MAX} keys; split it`,
      );
    this.#changesLeft--;
  }

  #checkOpen(): void {
    if (!this.#isOpen)
      throw new StateAccessError("state.closed", "the state was used after its operation had ended; do not keep it");
  }
}
