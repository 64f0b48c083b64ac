import { EpochVerifier, Verifier } from "@quorate/crypto";
import {
  type Configuration,
  epochNumber,
  invariant,
  primaryOf,
  type ReplicaId,
  weakQuorumSize,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { AgreementChecker } from "./checkers/agreement.ts";
import { AuditChecker } from "./checkers/audit.ts";
import { BoundsChecker } from "./checkers/bounds.ts";
import type { Checker } from "./checkers/checker.ts";
import { type CheckpointRules, CheckpointsChecker } from "./checkers/checkpoints.ts";
import { ClientHistoryChecker } from "./checkers/client-history.ts";
import { DurabilityChecker } from "./checkers/durability.ts";
import { EvidenceChecker } from "./checkers/evidence.ts";
import { ExactlyOnceChecker } from "./checkers/exactly-once.ts";
import { PromisesChecker } from "./checkers/promises.ts";
import { ReconfigurationChecker } from "./checkers/reconfiguration.ts";
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

/** What members order by themselves is nobody's among the clients. */
const FIRST_MEMBER = 1_000;

/** The run that is watched. */
export interface WatchedRun {
  readonly options: SimulationOptions;
  readonly cluster: SimulatedCluster;
  /** The epochs that any replica has come to. */
  readonly epochs: () => EpochChain;
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
  epochs,
  clock,
  marks,
  isTwin,
  isWrongEverywhere,
}: WatchedRun): readonly Checker[] {
  const { backend, hasher, cluster: clusterId, membership, clientSeeds, memberKeys, genesis } = cluster;
  const ofMembers = [...memberKeys].map(([key, replica]) => [key, FIRST_MEMBER + replica] as const);
  const ofClients = clientSeeds.map((seed, index) => [backend.publicKeyOf(seed), index] as const);
  const clients = new Map([...ofMembers, ...ofClients]);
  const byzantine = new Set(options.byzantine.map(({ replica }) => replica));
  const diverging = new Set<number>(
    options.faults.flatMap((fault) => (fault.type === "diverge" ? [fault.replica] : [])),
  );
  const isCorrect = (client: number): boolean => client < options.clients;
  const verifier = new Verifier({ backend, hasher, cluster: clusterId });
  return [
    new AgreementChecker(),
    new BoundsChecker({ ...options, windowSizeIn: (epoch) => configurationOf(epochs(), epoch).windowSize }),
    new AuditChecker((replica) => isWrongEverywhere || byzantine.has(replica) || diverging.has(replica)),
    new EvidenceChecker((evidence) => new EpochVerifier(verifier, epochs()).verifyEvidence(evidence)),
    new StateEqualityChecker(),
    new PromisesChecker((replica) => !byzantine.has(replica)),
    new TwinsChecker(isTwin, (name) => marks.add(name)),
    new WatermarksChecker((epoch) => configurationOf(epochs(), epoch).windowSize),
    new CheckpointsChecker(
      (seq) => checkpointRulesAt(epochs(), seq),
      (name) => marks.add(name),
    ),
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
      (view, epoch) => !byzantine.has(primaryOf(epochs().membershipAt(epochNumber(epoch)) ?? membership, view)),
      options.rotateEveryBatches > 0 ? { weakQuorum: weakQuorumSize(membership) } : undefined,
    ),
    new ReconfigurationChecker(genesis, hasher, clusterId, epochs, (name) => marks.add(name)),
    new ClientHistoryChecker(() => clock.nowMs, isCorrect),
  ];
}

function configurationOf(epochs: EpochChain, epoch: number): Configuration {
  const configuration = epochs.configurationAt(epochNumber(epoch));
  invariant(configuration !== undefined, "checkers.epoch", { epoch });
  return configuration;
}

/** An epoch begins above its start. */
function checkpointRulesAt(epochs: EpochChain, seq: number): CheckpointRules {
  let epoch = 0;
  while ((epochs.membershipAt(epochNumber(epoch + 1))?.start?.seq ?? seq) < seq) epoch++;
  const { checkpointInterval: interval, admins, members } = configurationOf(epochs, epoch);
  return { epoch, interval, permitted: new Set([...admins.keys, ...members.map(({ publicKey }) => publicKey)]) };
}
