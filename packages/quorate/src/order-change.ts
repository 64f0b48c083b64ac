import { randomBytes } from "node:crypto";
import { createChangeOrder } from "@quorate/client-proxy";
import { createClientSigner } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import {
  type AcceptedChange,
  bytesToAcceptedChange,
  bytesToHex,
  digest,
  type Epoch,
  invariant,
  type Receipt,
  type ReconfigurationChange,
} from "@quorate/protocol";
import { ConfigurationError, type PreparedChange, withApproval } from "@quorate/server";
import { SessionlessClient, type SessionlessInit } from "./sessionless-client.ts";

/** What a change is made of before anyone has signed it. */
export interface ChangeInit extends Pick<PreparedChange, "cluster" | "epoch" | "change"> {
  /** By the key that the change brings in, see `signPossession` of `@quorate/crypto`; left out for a change that brings in none. */
  readonly possession?: Uint8Array;
}

/** How far an order has come. */
export type ChangeProgress =
  /** f+1 members have executed it: the epoch begins above the activation, which the cluster goes to by itself. */
  | ({ readonly type: "accepted" } & AcceptedChange)
  /** A quorum has certified the beginning of its epoch. */
  | ({ readonly type: "in-force" } & AcceptedChange);

const CHANGE_DEADLINE_MS = 60_000;

/** How an order is submitted. */
export interface ChangeSubmission {
  /** Milliseconds until it fails with `client.no-quorum`, all steps together; 60 s unless given. It may come into force all the same. */
  readonly timeoutMs?: number;
  /** Whether to wait until the change is in force; true unless given. */
  readonly isAwaited?: boolean;
  readonly onProgress?: (progress: ChangeProgress) => void;
}

/** A change that the cluster has accepted. */
export interface OrderedChange extends AcceptedChange {
  /** Its epoch has begun, as a quorum has certified. */
  readonly isInForce: boolean;
  /** Proof for third parties; undefined where the epoch that shows the change came before f+1 answers. */
  readonly receipt: Receipt | undefined;
}

/** A change for the admins to approve, with a nonce that nobody has used: it counts once, and in this epoch only. */
export function prepareChange({ possession = new Uint8Array(0), ...about }: ChangeInit): PreparedChange {
  return { ...about, nonce: digest(bytesToHex(randomBytes(32))), possession, approvals: [] };
}

/** Adds the approval of the key behind a seed. Whether it is an admin's, the cluster judges. */
export async function approveChange(prepared: PreparedChange, seed: Uint8Array): Promise<PreparedChange> {
  const { cluster } = prepared;
  const signer = createClientSigner({ backend: await chooseBackend(), hasher: createNodeHasher(), seed, cluster });
  return withApproval(prepared, signer.approve(prepared));
}

/**
 * Has a change ordered under the approvals that it has (protocol rule 11.1), and waits until it is in force. Submitted again with
 * the same key it is the same order.
 *
 * @throws QuorateError when it was not accepted (`client.change-refused` with the reason, `client.change-lost` when its epoch was
 * over) or not in force in time, ConfigurationError `configuration.foreign` when it is another cluster's (the promise rejects).
 */
export async function submitChange(
  init: SessionlessInit,
  prepared: PreparedChange,
  submission?: ChangeSubmission,
): Promise<OrderedChange> {
  return submitWith(await SessionlessClient.open(init), prepared, submission);
}

/** The same with a client that is there, and that knows the new epoch then. */
export async function submitWith(
  client: SessionlessClient,
  { cluster, ...order }: PreparedChange,
  { timeoutMs = CHANGE_DEADLINE_MS, isAwaited = true, onProgress }: ChangeSubmission = {},
): Promise<OrderedChange> {
  if (cluster !== client.cluster)
    throw new ConfigurationError(
      "configuration.foreign",
      `the order is for cluster ${cluster}, the genesis document is that of cluster ${client.cluster}; submit it with that of its own`,
    );
  const left = countdown(timeoutMs);
  const request = client.signer.signReconfiguration(order);
  const { result, receipt } = await client.run((options) => createChangeOrder({ ...options, request }), left());
  const accepted = bytesToAcceptedChange(result.value);
  invariant(accepted !== undefined, "change.no-epoch", { status: result.status });
  onProgress?.({ type: "accepted", ...accepted });
  if (isAwaited) await client.follow(accepted.epoch, left());
  const isInForce = client.epochs.epoch >= accepted.epoch;
  if (isInForce) onProgress?.({ type: "in-force", ...accepted });
  return { ...accepted, isInForce, receipt };
}

/** A change, by whom, of which cluster. */
export interface ChangeOrderInit extends SessionlessInit, ChangeSubmission {
  readonly change: ReconfigurationChange;
  /** Of admins, as many as the cluster asks for; none where a member leaves or rejoins, whose key is `seed` then. */
  readonly approverSeeds: readonly Uint8Array[];
  /** Of the key that the change brings in, for the epoch that the order will be for. */
  readonly possession?: (epoch: Epoch) => Uint8Array;
}

/**
 * Looks which epoch it is, signs a change for it and has it ordered: `prepareChange`, `approveChange` and `submitChange` where
 * all keys are at hand.
 *
 * @throws QuorateError as `submitChange` (the promise rejects).
 */
export async function orderChange(init: ChangeOrderInit): Promise<OrderedChange> {
  const { change, approverSeeds, possession, timeoutMs = CHANGE_DEADLINE_MS } = init;
  const left = countdown(timeoutMs);
  const [submitter] = approverSeeds;
  const client = await SessionlessClient.open(submitter === undefined ? init : { seed: submitter, ...init });
  await client.follow(undefined, left());
  const { epoch } = client.epochs;
  const proven = possession === undefined ? {} : { possession: possession(epoch) };
  let prepared = prepareChange({ cluster: client.cluster, epoch, change, ...proven });
  for (const seed of approverSeeds) prepared = await approveChange(prepared, seed);
  return submitWith(client, prepared, { ...init, timeoutMs: left() });
}

/** What is left of a time that begins now; at least 1. */
function countdown(forMs: number): () => number {
  const endMs = performance.now() + forMs;
  return () => Math.max(1, endMs - performance.now());
}
