import type { KnownMembers } from "./known-members.ts";
import type { QuarantineStatus } from "./quarantine.ts";

/** A number, and what this replica says of it. */
export interface NumberDigest {
  readonly seq: number;
  readonly digest: string;
}

/** What one replica says of its own execution, for comparison with the others (protocol rule 9.5). */
export interface OwnAudit {
  readonly executed: number;
  readonly historyDigest: string;
  readonly executionDigest: string;
  /** Of the state after `executed`. */
  readonly stateRoot: string;
  readonly stable: { readonly seq: number; readonly stateRoot: string };
  readonly lastCheckpoint: { readonly seq: number; readonly stateRoot: string };
  /** Execution digests of the last numbers, ascending: replicas that are asked one after the other are rarely at one number. */
  readonly outputs: readonly NumberDigest[];
  /** It was quarantined once, and signs nothing up to there; 0 if not. */
  readonly silentUpTo: number;
}

/** What the admin endpoint answers to `/audit`. */
export interface AuditDocument {
  readonly cluster: string;
  /** The first key of the replica, and who it is now; null: it observes. */
  readonly owner: string;
  readonly replica: number | null;
  /** The latest that it knows, see `ProcessStatus`. */
  readonly membership: KnownMembers;
  /** Undefined while there is no state to speak of: it is quarantined, or the state is being brought here. */
  readonly own: OwnAudit | undefined;
  readonly quarantine: QuarantineStatus | undefined;
  readonly isInstalling: boolean;
  /** Other members that are wrong, as far as this replica sees. */
  readonly divergent: readonly { readonly replica: number; readonly part: string; readonly seq: number }[];
}
