import { randomBytes } from "node:crypto";
import {
  type CallOutcome,
  createEpochWatch,
  decideResendAfterMs,
  type SessionlessCore,
  type SessionlessOptions,
} from "@quorate/client-proxy";
import { createClientCodec, wireLimitsOf } from "@quorate/codec";
import { clusterIdOf, createClientSigner, generateSeed, type SignatureBackend, Verifier } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  type ClientSigner,
  type ClusterId,
  type Epoch,
  type Genesis,
  type Hasher,
  type JoinClaim,
  possessionPreimage,
  type ReplicaId,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { requestClaim } from "./claim-request.ts";
import { clientDial } from "./client-dialing.ts";
import { genesisOf, nodePlatform } from "./connect.ts";
import { CoreRunner } from "./core-runner.ts";
import { QuorateError } from "./errors.ts";

/** Who wants something of which cluster. */
export interface SessionlessInit {
  /** The genesis document: parsed, or the path of its file. */
  readonly genesis: Genesis | string;
  /** 32 secret bytes of the key that connects and submits; a fresh one unless given. Clusters with a list of clients need a listed one, or that of an admin or a member. */
  readonly seed?: Uint8Array;
  /** As for `connect`. */
  readonly addresses?: readonly string[];
}

type Result = Extract<CallOutcome, { type: "result" }>;

/** Whoever waits for something that comes by itself asks so often: an answer is a small frame. */
const ASK_EVERY_MS = 1_000;

/** A client that opens no session: it orders what needs none, one thing after the other, and knows the epochs that it has seen. */
export class SessionlessClient {
  readonly genesis: Genesis;
  readonly cluster: ClusterId;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly signer: ClientSigner;
  readonly epochs: EpochChain;
  readonly #seed: Uint8Array;
  readonly #addresses: readonly string[] | undefined;
  readonly #verifier: Verifier;

  private constructor(init: SessionlessInit, backend: SignatureBackend) {
    const hasher = createNodeHasher();
    this.backend = backend;
    this.hasher = hasher;
    this.genesis = genesisOf(init.genesis, backend);
    this.cluster = clusterIdOf(hasher, this.genesis);
    this.#seed = init.seed ?? generateSeed(randomBytes(32));
    this.#addresses = init.addresses;
    this.signer = createClientSigner({ backend, hasher, seed: this.#seed, cluster: this.cluster });
    this.#verifier = new Verifier({ backend, hasher, cluster: this.cluster });
    this.epochs = new EpochChain({ cluster: this.cluster, hasher, verifier: this.#verifier }, this.genesis);
  }

  /** @throws ConfigurationError when the genesis document cannot be read (the promise rejects). */
  static async open(init: SessionlessInit): Promise<SessionlessClient> {
    return new SessionlessClient(init, await chooseBackend());
  }

  /**
   * Runs one core to its end, over links of its own.
   *
   * @throws QuorateError when it ends without a result (the promise rejects).
   */
  async run(make: (options: SessionlessOptions) => SessionlessCore, timeoutMs?: number): Promise<Result> {
    const { genesis, cluster, epochs: chain, signer } = this;
    const platform = nodePlatform(this.backend, this.hasher);
    const core = make({ chain, resendAfterMs: decideResendAfterMs(genesis.timeouts) });
    const { promise, resolve } = withResolver<CallOutcome>();
    const addresses = this.#addresses;
    const runner = new CoreRunner(
      {
        ...{ genesis, cluster, chain, core, verifier: this.#verifier },
        publicKey: signer.publicKey,
        seed: this.#seed,
        ...(addresses !== undefined && { addresses }),
        onSettled: (_call, outcome) => resolve(outcome),
      },
      platform,
    );
    const order = { type: "order", atMs: platform.nowMs(), ...(timeoutMs !== undefined && { timeoutMs }) } as const;
    runner.perform(core.step(order));
    const outcome = await promise;
    runner.close();
    if (outcome.type === "result") return outcome;
    throw new QuorateError(outcome.failure.code, runner.explain(outcome.failure), outcome.failure);
  }

  /**
   * Comes to the latest epoch that f+1 members, hence a correct one, have shown; or waits until one has begun.
   *
   * @throws QuorateError `client.no-quorum` when that was not in time (the promise rejects).
   */
  async follow(until?: Epoch, timeoutMs?: number): Promise<void> {
    const watched = until === undefined ? {} : { epoch: until, resendAfterMaxMs: ASK_EVERY_MS };
    await this.run((options) => createEpochWatch({ ...options, ...watched }), timeoutMs);
  }

  /**
   * Asks whoever is at an address for its claim to become a member with this id, in the latest epoch that is known here.
   *
   * @throws ClaimError when there is none in time (the promise rejects).
   */
  fetchClaim(address: string, id: ReplicaId, timeoutMs: number): Promise<JoinClaim> {
    const { backend, hasher, cluster, signer, genesis } = this;
    const { epoch } = this.epochs;
    const codec = createClientCodec(wireLimitsOf(genesis));
    const self = { cluster, publicKey: signer.publicKey, seed: this.#seed };
    const dial = clientDial(nodePlatform(backend, hasher), self, codec);
    const isProven = ({ change, possession }: JoinClaim): boolean =>
      backend.verify(change.member.publicKey, possessionPreimage(cluster, { epoch, change }), possession);
    return requestClaim({ address, epoch, id }, { dial, codec, isProven, timeoutMs, askAgainMs: ASK_EVERY_MS });
  }
}

/** Something that comes once. */
function withResolver<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
