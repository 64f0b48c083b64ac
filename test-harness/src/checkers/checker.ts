import type { CallOutcome } from "@quorate/client-proxy";
import type { CommittedEntry, Evidence, Fill, ReplicaFrame, ReplicaId, Reply, Request } from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ReplicaStatus } from "@quorate/replica";
import type { ExecutedBatch, ViewTurn } from "@quorate/server/host";
import type { ServiceMembership } from "@quorate/state-machine";
import type { ExecutedOperation } from "../recording-service.ts";

/** A batch as one correct replica executed it. */
export interface ExecutionStep extends ExecutedBatch {
  readonly replica: ReplicaId;
  /** Of the state right after it. */
  readonly stateRoot: string;
  /** What really ran, in order. */
  readonly operations: readonly ExecutedOperation[];
  /** The agreed time that operations saw; undefined when there were none. */
  readonly agreedMs?: number | undefined;
}

/** New members, as one correct replica has told them to its service. */
export interface ToldMembership extends ServiceMembership {
  /** Of the same batch. */
  readonly operationsBefore: number;
}

/** How a run ended, when everything was quiet. */
export interface Ending {
  /** The correct replicas. */
  readonly replicas: readonly {
    readonly id: ReplicaId;
    readonly status: ReplicaStatus;
    readonly stateRoot: string;
    readonly historyDigest: string;
  }[];
  /** All that was decided, from 1, as the disk of a correct replica has it. */
  readonly history: readonly CommittedEntry[];
  /** What an ordered read of each counter gave, at the very end. */
  readonly counters: readonly bigint[];
}

/** Watches a whole run from outside. Hears of correct replicas and clients only. @throws Violation. */
export interface Checker {
  /** The cluster starts with these entries of the service, and not with nothing. Before all else. */
  onRestored?(entries: readonly { readonly key: Uint8Array; readonly value: Uint8Array }[]): void;
  /** A replica has recovered from its disk and is about to start. */
  onRecovered?(replica: ReplicaId, status: ReplicaStatus): void;
  /** The others' state was brought to it, and it is about to go on from there. */
  onTransferred?(replica: ReplicaId, status: ReplicaStatus, historyDigest: string): void;
  /** It has come back with a state of fewer numbers than its votes are for, and executes the rest. */
  onCatchingUp?(replica: ReplicaId, executed: number): void;
  /** It votes above this checkpoint while its state is brought to it. */
  onVoting?(replica: ReplicaId, stable: number): void;
  /** Its state becomes a wrong one; until it is repaired, what it does inside is told to nobody. */
  onDiverging?(replica: ReplicaId): void;
  /** It has found damage in its state, which is replaced; of what it has said by that it knows nothing. */
  onDamaged?(replica: ReplicaId): void;
  /** All that its disk held is gone. */
  onDiskLost?(replica: ReplicaId): void;
  /** It has come to an epoch, or back with the epochs that it knows. */
  onEpochs?(replica: ReplicaId, epochs: EpochChain): void;
  /** After each event. */
  onStatus?(replica: ReplicaId, status: ReplicaStatus): void;
  /** It gives a view up, or enters one. */
  onViewChange?(replica: ReplicaId, turn: ViewTurn): void;
  /** Now and then after an event: how full everything bounded is at a replica or a client. */
  onFills?(end: string, fills: readonly Fill[]): void;
  /** The service of a replica is told of new members. */
  onMembership?(replica: ReplicaId, told: ToldMembership): void;
  onStable?(replica: ReplicaId, seq: number): void;
  onExecuted?(step: ExecutionStep): void;
  /** @param receivers to how many it goes. */
  onSent?(from: ReplicaId, frame: ReplicaFrame, receivers: number): void;
  onReply?(from: ReplicaId, reply: Reply): void;
  onEvidence?(by: ReplicaId, evidence: Evidence): void;
  /** A replica was found to be wrong, and stands still. */
  onQuarantined?(replica: ReplicaId): void;
  /** A replica finds another one to be wrong. */
  onDivergence?(by: ReplicaId, accused: ReplicaId): void;
  /** Faults have ended: what was down is up again, and nothing is lost any more. */
  onHealed?(): void;
  /** A client sends a request, perhaps again. */
  onRequest?(client: number, request: Request): void;
  onSubmitted?(client: number, call: number, operation: Uint8Array): void;
  onSettled?(client: number, call: number, outcome: CallOutcome): void;
  atEnd?(ending: Ending): void;
}

/** A property that must always hold did not. */
export class Violation extends Error {
  readonly property: string;

  constructor(property: string, facts: Readonly<Record<string, unknown>>) {
    super(`${property}: ${JSON.stringify(facts, (_key, value) => (typeof value === "bigint" ? `${value}` : value))}`);
    this.name = "Violation";
    this.property = property;
  }
}

/** @throws Violation unless `condition`. */
export function demand(condition: boolean, property: string, facts: Readonly<Record<string, unknown>>): void {
  if (!condition) throw new Violation(property, facts);
}
