import type { StoreReader } from "@quorate/storage";
import { type Cryptography, readStoredState, type StoredState } from "../data-reader.ts";
import type { ReplicaFolder } from "../replica-folder.ts";
import { counted, type Looked, type Report } from "./data-check.ts";
import { isStateRootRight } from "./state-root-check.ts";

const EVERYTHING = new Uint8Array(0);

/** Reads the replicated state, and makes its root anew. */
export function checkState(
  folder: ReplicaFolder,
  store: Pick<StoreReader, "state" | "local">,
  cryptography: Cryptography,
  report: Report,
): Looked<StoredState> {
  const stored = readStoredState(folder, store, cryptography);
  if (stored.isNew) return { found: "none yet: this replica has never been started", value: stored };
  const { executor } = stored;
  let [entries, bytes] = [0, 0];
  for (const [key, value] of store.state.range(EVERYTHING, undefined)) {
    entries += 1;
    bytes += key.length + value.length;
  }
  const root = executor.stateRoot();
  if (!isStateRootRight(executor))
    report(`expected entries whose root is ${root}, found others: a key or a value has changed, appeared or vanished`);
  return {
    found: `${counted(entries, "entry", "entries")} of ${counted(bytes, "byte")} after number ${executor.executed}, root ${root.slice(0, 16)}`,
    value: stored,
  };
}
