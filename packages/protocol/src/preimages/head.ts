import type { ClusterId } from "../ids.ts";
import { PreimageWriter } from "../preimage-writer.ts";

/** The domain tags. A tag is never reused for another layout. */
export const TAGS = {
  message: "quorate-message",
  request: "quorate-request",
  registration: "quorate-register",
  checkpointRequest: "quorate-ordered",
  reconfiguration: "quorate-change",
  approval: "quorate-approve",
  possession: "quorate-possess",
  operations: "quorate-ops",
  batch: "quorate-batch",
  history: "quorate-history",
  execution: "quorate-executed",
  statement: "quorate-state",
  outputLeaf: "quorate-output",
  result: "quorate-result",
  session: "quorate-session",
  genesis: "quorate-genesis",
  seed: "quorate-seed",
  operationSeed: "quorate-op-seed",
  stateRoot: "quorate-root",
  hello: "quorate-hello",
} as const;

/** Sizes of fields, in bytes. */
export const TAG = 16;
export const HASH = 32;
export const U32 = 4;
export const U64 = 8;

/** The tag and the cluster id, which all preimages of one tag start with. */
interface Head {
  readonly cluster: ClusterId;
  readonly bytes: Uint8Array;
}
const heads = new Map<string, Head>();

/** A preimage that starts with tag and cluster id, `size` bytes without them. A process has one cluster, as a rule. */
export function headed(tag: string, cluster: ClusterId, size: number): PreimageWriter {
  let head = heads.get(tag);
  if (head?.cluster !== cluster) {
    head = { cluster, bytes: new PreimageWriter(TAG + HASH).tag(tag).hex32(cluster).finish().slice() };
    heads.set(tag, head);
  }
  return new PreimageWriter(TAG + HASH + size).raw(head.bytes);
}
