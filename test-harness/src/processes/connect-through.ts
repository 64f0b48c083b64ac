import { randomBytes } from "node:crypto";
import { clusterIdOf, createClientSigner, generateSeed } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import type { Genesis } from "@quorate/protocol";
import { dial } from "@quorate/transport";
import { QuorateClient } from "quorate";

/** A client as `connect` of `quorate` makes it, but each member of genesis is dialed where `addressOf` says. */
export async function connectThrough(
  genesis: Genesis,
  addressOf: (member: { readonly id: number; readonly address: string }) => string,
): Promise<QuorateClient> {
  const [backend, hasher] = [await chooseBackend(), createNodeHasher()];
  const cluster = clusterIdOf(hasher, genesis);
  const seed = generateSeed(randomBytes(32));
  const signer = createClientSigner({ backend, hasher, seed, cluster });
  return new QuorateClient(
    { genesis, cluster, signer, seed },
    {
      backend,
      hasher,
      randomBytes: (length) => randomBytes(length),
      nowMs: () => performance.now(),
      dial: (address, options) => {
        const member = genesis.members.find((one) => one.address === address);
        return dial({ ...options, address: member === undefined ? address : addressOf(member) });
      },
    },
  );
}
