import { type CallOutcome, createCheckpointOrder, decideResendAfterMs } from "@quorate/client-proxy";
import { clusterIdOf, createClientSigner, Verifier } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { bytesToCheckpointNumber, type Genesis, invariant, type Receipt, type SequenceNumber } from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { QuorateError } from "./client.ts";
import { genesisOf, nodePlatform } from "./connect.ts";
import { CoreRunner } from "./core-runner.ts";

/** Who orders a checkpoint of which cluster. */
export interface CheckpointOrderInit {
  /** The genesis document: parsed, or the path of its file. */
  readonly genesis: Genesis | string;
  /** 32 secret bytes of the key of an admin or a member. */
  readonly seed: Uint8Array;
  /** Milliseconds until it fails with `client.no-quorum`; 30 s unless given. */
  readonly deadlineMs?: number;
}

/** A checkpoint that f+1 members, hence a correct one, have made since it was ordered. */
export interface OrderedCheckpoint {
  readonly seq: SequenceNumber;
  /** It was made by this order; else by another one, or because it was due. */
  readonly isByThisOrder: boolean;
  /** Proof for third parties; undefined when the replicas that agreed had signed it at different places. */
  readonly receipt: Receipt | undefined;
}

/**
 * Has all replicas make a checkpoint at one sequence number, as soon as the order is executed (protocol rule 9.1). When
 * the promise is fulfilled f+1 members have made it; whether it is stable, each replica's status tells.
 *
 * @throws QuorateError when no checkpoint was made, `client.checkpoint-refused` when the cluster would not (the promise
 * rejects).
 */
export async function orderCheckpoint({
  genesis: given,
  seed,
  deadlineMs,
}: CheckpointOrderInit): Promise<OrderedCheckpoint> {
  const backend = await chooseBackend();
  const hasher = createNodeHasher();
  const genesis = genesisOf(given, backend);
  const cluster = clusterIdOf(hasher, genesis);
  const signer = createClientSigner({ backend, hasher, seed, cluster });
  const platform = nodePlatform(backend, hasher);
  const verifier = new Verifier({ backend, hasher, cluster });
  const chain = new EpochChain({ cluster, hasher, verifier }, genesis);
  const core = createCheckpointOrder({ signer, chain, resendAfterMs: decideResendAfterMs(genesis.timeouts) });
  const { promise, resolve } = withResolver<CallOutcome>();
  const runner = new CoreRunner(
    {
      genesis,
      cluster,
      publicKey: signer.publicKey,
      seed,
      chain,
      verifier,
      core,
      onSettled: (_call, outcome) => resolve(outcome),
    },
    platform,
  );
  runner.perform(core.step({ type: "order", atMs: platform.nowMs(), ...(deadlineMs !== undefined && { deadlineMs }) }));
  const outcome = await promise;
  runner.close();
  if (outcome.type === "result") return checkpointOf(outcome);
  throw new QuorateError(outcome.failure.code, runner.explain(outcome.failure), outcome.failure);
}

function checkpointOf({ result, receipt }: Extract<CallOutcome, { type: "result" }>): OrderedCheckpoint {
  const seq = bytesToCheckpointNumber(result.value);
  invariant(seq !== undefined, "checkpoint.no-number", { status: result.status });
  return { seq, isByThisOrder: result.status === "ok", receipt };
}

function withResolver<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((fulfil) => {
    resolve = fulfil;
  });
  return { promise, resolve };
}
