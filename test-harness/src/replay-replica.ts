import { createReplicaSigner } from "@quorate/crypto";
import { createNodeHasher } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import {
  decodeReplicaTrace,
  type ReplayedStep,
  type ReplayOutcome,
  type ReplicaTrace,
  replayTrace,
} from "@quorate/server/host";

/** Reads the trace that a replica or the simulator saved. @throws TraceFormatError */
export function readReplicaTrace(bytes: Uint8Array): ReplicaTrace {
  return decodeReplicaTrace(bytes);
}

/** See `replayTrace`. The replica signs with a scheme of tests and a key of zeros: nobody looks at its signatures. */
export function replayReplicaTrace(trace: ReplicaTrace): Generator<ReplayedStep, ReplayOutcome> {
  const hasher = createNodeHasher();
  const { replica: self, cluster } = trace;
  const signer = createReplicaSigner({ backend: createFakeBackend(hasher), seed: new Uint8Array(32), self, cluster });
  return replayTrace(trace, { hasher, signer });
}
