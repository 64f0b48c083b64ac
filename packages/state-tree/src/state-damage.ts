import { bytesToHex } from "@quorate/protocol";

const SHOWN_BYTES = 40;

const EXPECTED = {
  entry: "the bytes that its digest covers",
  page: "the bytes that its digest covers",
  root: "the 32 bytes of a tree's root, or the mark of a checkpoint that is being dropped and is not the last",
} as const;

/** An entry of the state, a page of its tree, or the record of a root is not what was written: the disk or the memory has changed it. */
export class StateDamage extends Error {
  readonly code = "state.damaged";
  readonly key: Uint8Array;

  constructor(what: keyof typeof EXPECTED, key: Uint8Array) {
    const name = bytesToHex(key.subarray(0, SHOWN_BYTES)) + (key.length > SHOWN_BYTES ? "…" : "");
    super(`the ${what} at ${name} of the state is not what was written there: expected ${EXPECTED[what]}`);
    this.name = "StateDamage";
    this.key = new Uint8Array(key);
  }
}
