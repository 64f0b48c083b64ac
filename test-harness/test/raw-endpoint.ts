import { randomBytes } from "node:crypto";
import type { SignatureBackend } from "@quorate/crypto";
import type { LinkIdentity } from "@quorate/protocol";
import type { ProcessCluster } from "@quorate/test-harness";
import type { Endpoint } from "@quorate/transport";

/** An end of a link that proves to be who its key says, and is no replica. */
export function rawEndpoint(
  cluster: ProcessCluster,
  backend: SignatureBackend,
  identity: LinkIdentity,
  seed: Uint8Array,
): Endpoint {
  return {
    cluster: cluster.folder(0).cluster,
    randomBytes: (length) => randomBytes(length),
    credentials: {
      identity,
      sign: (preimage) => backend.sign(seed, preimage),
      verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
      isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
    },
  };
}

/** The secret of a replica's key as its folder had it at first. */
export function seedOf(cluster: ProcessCluster, id: number): Uint8Array {
  const [key] = cluster.folder(id).keys;
  if (key === undefined) throw new Error(`replica ${id} holds no key`);
  return key.seed;
}
