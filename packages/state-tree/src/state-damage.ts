import { bytesToHex } from "@quorate/protocol";

const SHOWN_BYTES = 40;

/** An entry of the state, or a page of its tree, is not what was written: the disk or the memory has changed it. */
export class StateDamage extends Error {
  readonly code = "state.damaged";
  readonly key: Uint8Array;

  constructor(what: "entry" | "page", key: Uint8Array) {
    const name = bytesToHex(key.subarray(0, SHOWN_BYTES)) + (key.length > SHOWN_BYTES ? "…" : "");
    super(
      `the ${what} at ${name} of the state is not what was written there: expected the bytes that its digest covers`,
    );
    this.name = "StateDamage";
    this.key = new Uint8Array(key);
  }
}
