import { type CallOutcome, createCheckpointOrder } from "@quorate/client-proxy";
import { bytesToCheckpointNumber, type Genesis, invariant, type Receipt, type SequenceNumber } from "@quorate/protocol";
import { SessionlessClient } from "./sessionless-client.ts";

/** Who orders a checkpoint of which cluster. */
export interface CheckpointOrderInit {
  /** The genesis document: parsed, or the path of its file. */
  readonly genesis: Genesis | string;
  /** 32 secret bytes of the key of an admin or a member. */
  readonly seed: Uint8Array;
  /** As for `connect`. */
  readonly addresses?: readonly string[];
  /** Milliseconds until it fails with `client.no-quorum`; 30 s unless given. */
  readonly timeoutMs?: number;
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
export async function orderCheckpoint({ timeoutMs, ...init }: CheckpointOrderInit): Promise<OrderedCheckpoint> {
  const client = await SessionlessClient.open(init);
  const { signer } = client;
  return checkpointOf(await client.run((options) => createCheckpointOrder({ ...options, signer }), timeoutMs));
}

function checkpointOf({ result, receipt }: Extract<CallOutcome, { type: "result" }>): OrderedCheckpoint {
  const seq = bytesToCheckpointNumber(result.value);
  invariant(seq !== undefined, "checkpoint.no-number", { status: result.status });
  return { seq, isByThisOrder: result.status === "ok", receipt };
}
