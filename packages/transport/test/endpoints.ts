import { createPublicKey, generateKeyPairSync, randomBytes, sign, verify } from "node:crypto";
import { type ClusterId, clusterId, publicKey, replicaId } from "@quorate/protocol";
import type { Endpoint } from "@quorate/transport";

export const CLUSTER: ClusterId = clusterId("11".repeat(32));
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
const INADMISSIBLE = publicKey("00".repeat(32));

/** Fresh ed25519 credentials of a replica with this id, of an observer, or of a client. */
export function newEndpoint(id: number | "observer" | "client", cluster: ClusterId = CLUSTER): Endpoint {
  const pair = generateKeyPairSync("ed25519");
  const key = publicKey(pair.publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex"));
  return {
    cluster,
    randomBytes: (length) => new Uint8Array(randomBytes(length)),
    credentials: {
      identity:
        typeof id === "string" ? { role: id, publicKey: key } : { role: "replica", id: replicaId(id), publicKey: key },
      sign: (preimage) => new Uint8Array(sign(null, preimage, pair.privateKey)),
      verify: (of, preimage, signature) => {
        const raw = Buffer.concat([SPKI_PREFIX, Buffer.from(of, "hex")]);
        return verify(null, preimage, createPublicKey({ key: raw, format: "der", type: "spki" }), signature);
      },
      isAdmissible: (of) => of !== INADMISSIBLE,
    },
  };
}
