import {
  type ClusterId,
  type Epoch,
  type EpochLink,
  type Genesis,
  type JoinClaim,
  REPLICA_ID_MAX,
  type ReplicaId,
  replicaId,
} from "@quorate/protocol";
import { decodeConfiguration, genesisRecord } from "@quorate/reconfiguration";
import { ConfigurationError } from "@quorate/server";
import { SessionlessClient, type SessionlessInit } from "./sessionless-client.ts";

/** Whose claim is wanted. */
export interface ClaimInit extends SessionlessInit {
  /** Where the replica is that `quorate join` runs: `host:port`. */
  readonly from: string;
  /** Milliseconds until it fails, all steps together; 30 s unless given. */
  readonly timeoutMs?: number;
}

/** A claim to become a member, of which cluster, and in which epoch it is good: what `prepareChange` takes. */
export interface FetchedClaim extends JoinClaim {
  readonly cluster: ClusterId;
  readonly epoch: Epoch;
}

const CLAIM_DEADLINE_MS = 30_000;

/**
 * Looks which epoch it is, and asks the replica at an address for its claim to become a member in it, under the lowest id that nobody
 * ever had.
 *
 * @throws ClaimError when there is none in time, QuorateError when too few members show their epoch, ConfigurationError when there
 * are no ids left (the promise rejects).
 */
export async function fetchClaim({ from, timeoutMs = CLAIM_DEADLINE_MS, ...init }: ClaimInit): Promise<FetchedClaim> {
  const endMs = performance.now() + timeoutMs;
  const client = await SessionlessClient.open(init);
  await client.follow(undefined, timeoutMs);
  const { epoch, link } = client.epochs;
  const claim = await client.fetchClaim(from, nextId(link, client.genesis), Math.max(1, endMs - performance.now()));
  return { cluster: client.cluster, epoch, ...claim };
}

/**
 * The lowest id that nobody ever had.
 *
 * @param link of the latest epoch; undefined for that of genesis.
 * @throws ConfigurationError when there are none left.
 */
export function nextId(link: EpochLink | undefined, genesis: Genesis): ReplicaId {
  const { highestId } = link === undefined ? genesisRecord(genesis) : decodeConfiguration(link.record);
  if (highestId < REPLICA_ID_MAX) return replicaId(highestId + 1);
  throw new ConfigurationError(
    "configuration.inconsistent",
    `all ids up to ${REPLICA_ID_MAX} were used: nobody can join this cluster any more`,
  );
}
