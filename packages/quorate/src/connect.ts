import { randomBytes } from "node:crypto";
import { createClientCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, createClientSigner, generateSeed, type SignatureBackend } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import type { Genesis, Hasher } from "@quorate/protocol";
import { type EpochDocument, parseEpochDocument } from "@quorate/reconfiguration";
import { readDocument, readGenesis } from "@quorate/server";
import { dial } from "@quorate/transport";
import { type ClientSettings, QuorateClient } from "./client.ts";
import type { ClientPlatform } from "./core-runner.ts";

/** How to reach a cluster from Node. */
export interface ConnectOptions {
  /** The genesis document: parsed, or the path of its file. It is all that a client has to trust. */
  readonly genesis: Genesis | string;
  /** 32 secret bytes of the client's key; a fresh key unless given. Clusters with a list of clients need a listed one. */
  readonly seed?: Uint8Array;
  /**
   * Where replicas may be found, `host:port`, when members have changed since the genesis document was written; its addresses
   * unless given. Who is found there is believed nothing but what proves itself.
   */
  readonly addresses?: readonly string[];
  /**
   * A later epoch that the client trusts like the genesis document, from whoever runs the cluster: who has got hold of keys of members
   * of earlier ones can lead it nowhere else (protocol rule 11.4). It never goes below it. The members of the epoch are dialed.
   */
  readonly epoch?: EpochDocument;
  readonly settings?: ClientSettings;
}

/**
 * Connects to a cluster. Links are made in the background and remade for ever; calls wait for them.
 *
 * @throws ConfigurationError when the genesis document cannot be read, TrustedEpochError when `epoch` is none of its cluster, TransportError for an address that is none (the
 * promise rejects).
 *
 * @example
 * ```ts
 * const client = await connect({ genesis: ".quorate/genesis.json" });
 * const { result } = await client.execute(encodeKvOperation({ type: "get", key }));
 * client.close();
 * ```
 */
export async function connect(options: ConnectOptions): Promise<QuorateClient> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const genesis = genesisOf(options.genesis, backend);
  const cluster = clusterIdOf(hasher, genesis);
  const seed = options.seed ?? generateSeed(randomBytes(32));
  const signer = createClientSigner({ backend, hasher, seed, cluster });
  const { settings, addresses } = options;
  const epoch = options.epoch && parseEpochDocument(options.epoch, cluster, createClientCodec(wireLimitsOf(genesis)));
  return new QuorateClient(
    { genesis, cluster, signer, seed, epoch, ...(settings && { settings }), ...(addresses && { addresses }) },
    nodePlatform(backend, hasher),
  );
}

/** What Node brings. */
export function nodePlatform(backend: SignatureBackend, hasher: Hasher): ClientPlatform {
  return {
    backend,
    hasher,
    randomBytes: (length) => randomBytes(length),
    nowMs: () => performance.now(),
    dial: (address, dialOptions) => dial({ ...dialOptions, address }),
  };
}

/** The document itself, or that at a path. */
export function genesisOf(genesis: Genesis | string, backend: SignatureBackend): Genesis {
  if (typeof genesis !== "string") return genesis;
  const advice = "get it from whoever runs the cluster";
  return readGenesis(readDocument(genesis, "genesis document", advice), genesis, backend);
}
