import { Verifier } from "@quorate/crypto";
import { primaryOf, type ReplicaId, weakQuorumSize } from "@quorate/protocol";
import { AgreementChecker } from "./checkers/agreement.ts";
import { AuditChecker } from "./checkers/audit.ts";
import { BoundsChecker } from "./checkers/bounds.ts";
import type { Checker } from "./checkers/checker.ts";
import { CheckpointsChecker } from "./checkers/checkpoints.ts";
import { ClientHistoryChecker } from "./checkers/client-history.ts";
import { DurabilityChecker } from "./checkers/durability.ts";
import { EvidenceChecker } from "./checkers/evidence.ts";
import { ExactlyOnceChecker } from "./checkers/exactly-once.ts";
import { PromisesChecker } from "./checkers/promises.ts";
import { StateEqualityChecker } from "./checkers/state-equality.ts";
import { TimeChecker } from "./checkers/time.ts";
import { TimeOutChecker } from "./checkers/time-outs.ts";
import { ValidityChecker } from "./checkers/validity.ts";
import { ViewsChecker } from "./checkers/views.ts";
import { WatermarksChecker } from "./checkers/watermarks.ts";
import type { SimulatedCluster } from "./cluster.ts";
import type { Marks } from "./marks.ts";
import type { SimulationOptions } from "./options.ts";
import { TwinsChecker } from "./twins.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** The run that is watched. */
export interface WatchedRun {
  readonly options: SimulationOptions;
  readonly cluster: SimulatedCluster;
  readonly clock: VirtualClock;
  readonly marks: Marks;
  /** Whether this member exists twice. */
  readonly isTwin: (replica: ReplicaId) => boolean;
  /** The service is deterministic nowhere. */
  readonly isWrongEverywhere: boolean;
}

/** One of each: all that must hold in every run. */
export function createCheckers({
  options,
  cluster,
  clock,
  marks,
  isTwin,
  isWrongEverywhere,
}: WatchedRun): readonly Checker[] {
  const { backend, hasher, cluster: clusterId, membership, clientSeeds, genesis } = cluster;
  const { checkpointInterval, windowSize } = genesis;
  const clients = new Map(clientSeeds.map((seed, index) => [backend.publicKeyOf(seed), index]));
  const byzantine = new Set(options.byzantine.map(({ replica }) => replica));
  const diverging = new Set<number>(
    options.faults.flatMap((fault) => (fault.type === "diverge" ? [fault.replica] : [])),
  );
  const isCorrect = (client: number): boolean => client < options.clients;
  const permitted = new Set([...genesis.admins.keys, ...membership.members.map(({ publicKey }) => publicKey)]);
  const memberKeys = new Map(membership.members.map(({ id, publicKey }) => [id, publicKey]));
  const verifier = new Verifier({ backend, hasher, cluster: clusterId });
  return [
    new AgreementChecker(),
    new BoundsChecker({ ...options, windowSize }),
    new AuditChecker((replica) => isWrongEverywhere || byzantine.has(replica) || diverging.has(replica)),
    new EvidenceChecker((evidence) => verifier.verifyEvidence(evidence, membership)),
    new StateEqualityChecker(),
    new PromisesChecker((replica) => !byzantine.has(replica)),
    new TwinsChecker(isTwin, (name) => marks.add(name)),
    new WatermarksChecker(windowSize),
    new CheckpointsChecker({ interval: checkpointInterval, permitted }, (name) => marks.add(name)),
    new ExactlyOnceChecker(isCorrect),
    new TimeChecker(),
    new TimeOutChecker(
      options.viewChangeMs,
      () => clock.nowMs,
      (id) => !options.clocks.some(({ replica }) => replica === id),
    ),
    new DurabilityChecker(),
    new ValidityChecker(hasher, clusterId, clients, (client) => !isCorrect(client), memberKeys),
    new ViewsChecker(
      (view) => !byzantine.has(primaryOf(membership, view)),
      options.rotateEveryBatches > 0 ? { weakQuorum: weakQuorumSize(membership) } : undefined,
    ),
    new ClientHistoryChecker(() => clock.nowMs, isCorrect),
  ];
}
