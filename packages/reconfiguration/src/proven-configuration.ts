import { type ClusterId, type Digest, type Hasher, type StateProof, stateRootPreimage } from "@quorate/protocol";
import { isProven, rootOfProof } from "@quorate/state-tree";

/** Where the record of the configuration stands in the replicated state. */
export const CONFIGURATION_KEY: Uint8Array = Uint8Array.of(0x0a);
/** The part of the state that it belongs to: that which a state transfer brings first (protocol rule 10.2). */
export const CONFIGURATION_PART = 0;

/** Whether a proof shows that the state with this root has this record of the configuration. It may come from anybody. */
export function isConfigurationProven(
  hasher: Hasher,
  cluster: ClusterId,
  stateRoot: Digest,
  record: Uint8Array,
  proof: StateProof,
): boolean {
  const treeRoot = rootOfProof(hasher, proof);
  return (
    treeRoot !== undefined &&
    hasher.digest(stateRootPreimage(cluster, treeRoot)) === stateRoot &&
    isProven(hasher, treeRoot, { part: CONFIGURATION_PART, key: CONFIGURATION_KEY }, record, proof)
  );
}
