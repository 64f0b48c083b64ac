import type { ClusterId, Digest, Hasher, StateProof } from "@quorate/protocol";
import { isProven, rootOfProof } from "@quorate/state-tree";
import { stateRootOf } from "./genesis-state.ts";
import { applicationKey, partOf } from "./state-keys.ts";

/** Whose state a proof is about. */
export interface ProvenState {
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  /** What the certificate of a checkpoint names. */
  readonly stateRoot: Digest;
}

/**
 * Whether a proof shows that the service had `value` at its key `key` in the state with this root; `undefined` stands for nothing
 * there. A proof may come from anybody, and a root should come with a certificate.
 */
export function isApplicationProven(
  { hasher, cluster, stateRoot }: ProvenState,
  key: Uint8Array,
  value: Uint8Array | undefined,
  proof: StateProof,
): boolean {
  const whole = applicationKey(key);
  const treeRoot = rootOfProof(hasher, proof);
  return (
    treeRoot !== undefined &&
    stateRootOf(hasher, cluster, treeRoot) === stateRoot &&
    isProven(hasher, treeRoot, { part: partOf(whole), key: whole }, value, proof)
  );
}
