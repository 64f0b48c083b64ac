import {
  acceptedChangeToBytes,
  bytesToHex,
  type CheckpointClaim,
  type Configuration,
  type Genesis,
  type OperationResult,
  type OrderedReader,
  type PublicKey,
  type ReconfigurationRequest,
  refusalToBytes,
  type SequenceNumber,
  windowSizeMaxOf,
} from "@quorate/protocol";
import {
  activate,
  CONFIGURATION_KEY,
  type ConfigurationRecord,
  decodeConfiguration,
  encodeConfiguration,
  genesisRecord,
  isActivation,
  type JudgedChange,
  judgeReconfiguration,
  type ReconfigurationVerdict,
} from "@quorate/reconfiguration";
import { CHECKPOINTS_REMEMBERED, decodeClaims, encodeClaims } from "./checkpoint-claims.ts";
import type { Overlay } from "./overlay.ts";
import { StateError } from "./rooted-state.ts";
import { ADMISSIONS, admissionKey, CHANGE_NONCES, CHECKPOINTS_KEY, changeNonceKey } from "./state-keys.ts";

/** The most clients that may be admitted by name. */
export const ADMITTED_CLIENTS_MAX = 100_000;
/**
 * Nonces of reconfigurations that are remembered in one epoch. Only m of the admins can spend one, or a member alone with the change
 * that ends the epoch. Beyond it no client is admitted or expelled, and what was refused of what begins an epoch could be submitted again,
 * until the next epoch.
 */
export const CHANGE_NONCES_MAX = 1_024;

const NOTHING = new Uint8Array(0);
const PUBLIC_KEY_AT = 1;

/** What of the state says who takes part, as of the last executed batch, decoded. */
export class CommittedConfiguration {
  readonly #genesis: Genesis;
  readonly #state: OrderedReader;
  #record: ConfigurationRecord;
  /** Undefined where genesis lets everyone in. */
  readonly #admitted: Set<PublicKey> | undefined;
  #checkpoints: readonly CheckpointClaim[];
  #nonces: number;

  /** @param executed 0: what genesis says is in force, whether it is written yet or not. */
  constructor(state: OrderedReader, genesis: Genesis, executed: SequenceNumber) {
    this.#state = state;
    this.#genesis = genesis;
    const bytes = state.get(CONFIGURATION_KEY);
    if (bytes === undefined && executed > 0)
      throw new StateError("state.damaged", "the replicated state has no record of its configuration");
    this.#record = bytes === undefined ? genesisRecord(genesis) : decodeConfiguration(bytes);
    this.#admitted = genesis.clients === "open" ? undefined : new Set(admissionsIn(state));
    const checkpoints = state.get(CHECKPOINTS_KEY);
    this.#checkpoints = checkpoints === undefined ? [] : decodeClaims(checkpoints);
    this.#nonces = countOf(state.range(...CHANGE_NONCES));
  }

  get record(): ConfigurationRecord {
    return this.#record;
  }
  get current(): Configuration {
    return this.#record.current;
  }
  isAdmitted(client: PublicKey): boolean {
    return this.#admitted?.has(client) ?? true;
  }

  /** How a change would be judged at `seq`, if it were the next. */
  judge(request: ReconfigurationRequest, seq: SequenceNumber): ReconfigurationVerdict {
    return this.beginBatch(seq, undefined).judge(request, this.#state);
  }

  /** @param last the last checkpoint before the batch, to be remembered if it is not yet. */
  beginBatch(seq: SequenceNumber, last: CheckpointClaim | undefined): ConfigurationBatch {
    const isNews = last !== undefined && this.#checkpoints.at(-1)?.seq !== last.seq;
    const checkpoints = isNews ? [...this.#checkpoints, last].slice(-CHECKPOINTS_REMEMBERED) : this.#checkpoints;
    return new ConfigurationBatch(seq, this.#genesis, {
      record: this.#record,
      checkpoints,
      areCheckpointsNews: isNews,
      nonces: this.#nonces,
      admittedCount: this.#admitted?.size,
      isAdmitted: (client) => this.isAdmitted(client),
    });
  }

  /** A batch has been executed and written. */
  adopt(batch: ConfigurationBatch): void {
    this.#record = batch.record;
    this.#checkpoints = batch.checkpoints;
    this.#nonces = batch.nonces;
    for (const [client, isAdmitted] of batch.admissions)
      if (isAdmitted) this.#admitted?.add(client);
      else this.#admitted?.delete(client);
  }
}

interface BeforeBatch {
  readonly record: ConfigurationRecord;
  readonly checkpoints: readonly CheckpointClaim[];
  readonly areCheckpointsNews: boolean;
  readonly nonces: number;
  readonly admittedCount: number | undefined;
  readonly isAdmitted: (client: PublicKey) => boolean;
}

/** Reconfigurations while one batch is executed: each sees what those before it in the batch have changed. */
export class ConfigurationBatch {
  readonly #seq: SequenceNumber;
  readonly #genesis: Genesis;
  readonly #before: BeforeBatch;
  readonly #admissions = new Map<PublicKey, boolean>();
  readonly #changes: JudgedChange[] = [];
  #record: ConfigurationRecord;
  #nonces: number;
  #activation: SequenceNumber | undefined;

  constructor(seq: SequenceNumber, genesis: Genesis, before: BeforeBatch) {
    this.#seq = seq;
    this.#genesis = genesis;
    this.#before = before;
    this.#record = before.record;
    this.#nonces = before.nonces;
  }

  get record(): ConfigurationRecord {
    return this.#record;
  }
  get checkpoints(): readonly CheckpointClaim[] {
    return this.#before.checkpoints;
  }
  get nonces(): number {
    return this.#nonces;
  }
  get admissions(): ReadonlyMap<PublicKey, boolean> {
    return this.#admissions;
  }
  /** The last number of the batch's own epoch, where a change waits for it. Known once the batch is finished. */
  get activation(): SequenceNumber | undefined {
    return this.#activation;
  }
  /** What became of each change in the batch. */
  get changes(): readonly JudgedChange[] {
    return this.#changes;
  }
  isAdmitted(client: PublicKey): boolean {
    return this.#admissions.get(client) ?? this.#before.isAdmitted(client);
  }

  /** Judges a change and notes what it does. */
  execute(request: ReconfigurationRequest, overlay: Overlay): OperationResult {
    const verdict = this.judge(request, overlay);
    const outcome = verdict.type === "refused" ? verdict.refusal : verdict.accepted;
    this.#changes.push({ seq: this.#seq, request, configuration: this.#record.current, outcome });
    const isSpent = verdict.type !== "refused" || verdict.isNonceSpent;
    if (isSpent && this.#nonces < CHANGE_NONCES_MAX) {
      overlay.put(changeNonceKey(request.nonce), NOTHING);
      this.#nonces++;
    }
    switch (verdict.type) {
      case "refused":
        return { status: "reconfiguration-refused", value: refusalToBytes(verdict.refusal) };
      case "admission": {
        const { client, isAdmitted } = verdict;
        this.#admissions.set(client, isAdmitted);
        overlay.put(admissionKey(client), isAdmitted ? NOTHING : undefined);
        break;
      }
      case "ordered":
        this.#record = verdict.record;
    }
    return { status: "ok", value: acceptedChangeToBytes(verdict.accepted) };
  }

  judge(request: ReconfigurationRequest, state: OrderedReader): ReconfigurationVerdict {
    const { admittedCount, checkpoints } = this.#before;
    let count = admittedCount ?? 0;
    for (const isAdmitted of this.#admissions.values()) count += isAdmitted ? 1 : -1;
    return judgeReconfiguration(this.#record, request, {
      seq: this.#seq,
      isNonceUsed: state.get(changeNonceKey(request.nonce)) !== undefined,
      areNoncesSpent: this.#nonces >= CHANGE_NONCES_MAX,
      recentCheckpoints: checkpoints,
      windowSizeMax: windowSizeMaxOf(this.#genesis.limits),
      clients: admittedCount === undefined ? undefined : { count, isAdmitted: (client) => this.isAdmitted(client) },
      clientsMax: ADMITTED_CLIENTS_MAX,
    });
  }

  /**
   * The requests of the batch have been executed. After the last batch of an epoch what waited is in force, before the root is
   * computed (protocol rule 11.2).
   *
   * @returns whether it was the last.
   */
  finish(overlay: Overlay): boolean {
    const { record, areCheckpointsNews, checkpoints } = this.#before;
    if (areCheckpointsNews) overlay.put(CHECKPOINTS_KEY, encodeClaims(checkpoints));
    const isLast = isActivation(this.#record, this.#seq);
    this.#activation = this.#record.pending?.activation;
    if (isLast) {
      this.#record = activate(this.#record);
      for (const [key] of [...overlay.range(...CHANGE_NONCES)]) overlay.put(key, undefined);
      this.#nonces = 0;
    }
    if (this.#record !== record) overlay.put(CONFIGURATION_KEY, encodeConfiguration(this.#record));
    return isLast;
  }
}

function* admissionsIn(state: OrderedReader): Iterable<PublicKey> {
  for (const [key] of state.range(...ADMISSIONS)) yield bytesToHex(key.subarray(PUBLIC_KEY_AT)) as PublicKey;
}

function countOf(entries: Iterable<unknown>): number {
  let count = 0;
  for (const _ of entries) count++;
  return count;
}
