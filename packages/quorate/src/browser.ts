/**
 * The client for browsers: the same core, links and rule of validity, without anything of Node.
 *
 * @packageDocumentation
 */
import { createClientCodec, wireLimitsOf } from "@quorate/codec";
import {
  clusterIdOf,
  createClientSigner,
  createNobleBackend,
  createNobleHasher,
  generateSeed,
  Verifier,
} from "@quorate/crypto";
import { checkGenesis, type Genesis } from "@quorate/protocol";
import {
  type EpochDocument,
  parseEpochDocument,
  type ReceiptProof,
  type ReceiptProofFault,
  receiptProofFault,
} from "@quorate/reconfiguration";
import { type BrowserWebSocketConstructor, dialWebSocket } from "@quorate/transport/client";
import { type ClientSettings, QuorateClient } from "./client.ts";

export { createNobleBackend, type SignatureBackend } from "@quorate/crypto";
export { decodeKvResult, encodeKvOperation, type KvOperation, type KvResult } from "@quorate/kv";
export type { Genesis } from "@quorate/protocol";
export {
  type EpochDocument,
  epochDocumentOf,
  parseEpochDocument,
  type ReceiptProof,
  type ReceiptProofFault,
} from "@quorate/reconfiguration";
export type { CallOptions } from "./call-options.ts";
export * from "./client.ts";
export type { ClientEventMap, ClientEvents } from "./client-events.ts";
export type { ClientPlatform } from "./core-runner.ts";
export * from "./errors.ts";
export * from "./kv-client.ts";
export type { OperationOutcome } from "./operation-calls.ts";
export type { OperationReceipt } from "./operation-receipt.ts";

/** How to reach a cluster from a browser. */
export interface BrowserConnectOptions {
  /** The genesis document. It is all that a client has to trust. */
  readonly genesis: Genesis;
  /** 32 secret bytes of the client's key; a fresh key unless given. */
  readonly seed?: Uint8Array;
  /** `wss:` where the replicas stand behind TLS; `ws:` unless given. */
  readonly scheme?: "ws:" | "wss:";
  /** Where replicas may be found when members have changed since then; the addresses of genesis unless given. */
  readonly addresses?: readonly string[];
  /** A later epoch that the client trusts like the genesis document, and never goes below. */
  readonly epoch?: EpochDocument;
  readonly settings?: ClientSettings;
}

/**
 * Connects to a cluster.
 *
 * @throws GenesisError for an inconsistent genesis document, TrustedEpochError for an epoch that is none of its cluster, TransportError for an address that is none.
 */
export function connect(options: BrowserConnectOptions): QuorateClient {
  const { genesis, scheme = "ws:", settings, addresses } = options;
  checkGenesis(genesis);
  const backend = createNobleBackend();
  const hasher = createNobleHasher();
  const randomBytes = (length: number): Uint8Array => globalThis.crypto.getRandomValues(new Uint8Array(length));
  const cluster = clusterIdOf(hasher, genesis);
  const epoch = options.epoch && parseEpochDocument(options.epoch, cluster, createClientCodec(wireLimitsOf(genesis)));
  const seed = options.seed ?? generateSeed(randomBytes(32));
  const signer = createClientSigner({ backend, hasher, seed, cluster });
  const webSocket = (globalThis as { WebSocket?: BrowserWebSocketConstructor }).WebSocket;
  if (webSocket === undefined) throw new Error("this platform has no WebSocket; in Node, use `connect` of `quorate`");
  return new QuorateClient(
    { genesis, cluster, signer, seed, epoch, ...(settings && { settings }), ...(addresses && { addresses }) },
    {
      backend,
      hasher,
      randomBytes,
      nowMs: () => performance.now(),
      dial: (address, dialOptions) => dialWebSocket({ ...dialOptions, webSocket, url: `${scheme}//${address}/` }),
    },
  );
}

/**
 * Why a receipt that may come from anybody proves nothing; undefined when it is proven by the genesis document. Nothing that a client
 * has verified before is believed. A client gives the proof: `proofOf`.
 *
 * @throws GenesisError for an inconsistent genesis document.
 */
export function receiptFault(proof: ReceiptProof, genesis: Genesis): ReceiptProofFault | undefined {
  checkGenesis(genesis);
  const hasher = createNobleHasher();
  const cluster = clusterIdOf(hasher, genesis);
  const verifier = new Verifier({ backend: createNobleBackend(), hasher, cluster });
  return receiptProofFault(proof, genesis, { cluster, hasher, verifier });
}
