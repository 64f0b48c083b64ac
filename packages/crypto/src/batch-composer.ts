import type { BatchComposer, ClusterId, Hasher } from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { batchDigest } from "./digests.ts";

/** Makes batches of verified requests: nothing is left to verify in them. */
export function createBatchComposer(hasher: Hasher, cluster: ClusterId): BatchComposer {
  return {
    compose: (timestampMs, requests) => {
      const digests = requests.map((request) => request.digest);
      const digest = batchDigest(hasher, cluster, timestampMs, digests);
      const batch = { timestampMs, requests: requests.map(({ request }) => request) };
      return sealVerified({ digest, timestampMs, requests, batch });
    },
  };
}
