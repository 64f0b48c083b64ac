import {
  type CheckpointCertificate,
  copyBytes,
  epochNumber,
  type Membership,
  type PublicKey,
  type ReadRefusal,
  type ReadState,
  readBytes,
  type StateRead,
  stateReadBytesMax,
} from "@quorate/protocol";
import { type Executor, type FoundEntries, readApplication } from "@quorate/state-machine";
import { ClientShare } from "./client-share.ts";
import { ClientTurns } from "./client-turns.ts";
import type { HostOptions } from "./host-options.ts";

/** Of each client, in a second: keys, values and proofs. */
const READ_BYTES_PER_SECOND_MAX = 8 * 1024 * 1024;
/** What an entry costs beside its bytes: pages are read for it, and looked through. */
const ENTRY_COST = 4 * 1024;
interface WaitingRead {
  readonly read: ReadState;
  /** Of the last stable checkpoint, when its turn comes. */
  readonly stable: () => CheckpointCertificate;
}

export interface StateReadsOptions extends Pick<HostOptions, "ports" | "observer" | "service" | "epochs" | "genesis"> {
  readonly membership: Membership;
  /** Damage, mostly: the state is to be repaired. */
  readonly onThrown: (error: unknown) => void;
}

/**
 * Answers clients from the state at the last stable checkpoint, each answer with its proofs (protocol rule 6.2). Nobody has to
 * believe this replica, so it need not be a member. One read at a time, with all else in between.
 */
export class StateReads {
  readonly #o: StateReadsOptions;
  readonly #executor: Pick<Executor, "snapshotAt">;
  readonly #share = new ClientShare(READ_BYTES_PER_SECOND_MAX);
  readonly #turns: ClientTurns<WaitingRead>;

  constructor(options: StateReadsOptions, executor: Pick<Executor, "snapshotAt">) {
    this.#o = options;
    this.#executor = executor;
    this.#turns = new ClientTurns({
      timer: "read",
      ports: options.ports,
      answer: (client, waiting) => this.#answer(client, waiting),
      refuse: (client, { read }) => this.#refuseMore(client, read),
    });
  }

  /** A client asks; it is answered later, or told that it asks for too much. */
  ask(client: PublicKey, read: ReadState, stable: () => CheckpointCertificate): void {
    if (this.#share.isLeft(client, this.#nowMs())) this.#turns.ask(client, { read, stable });
    else this.#refuseMore(client, read);
  }

  /** Nothing is sent any more. */
  stop(): void {
    this.#turns.stop();
  }

  #answer(client: PublicKey, { read, stable }: WaitingRead): void {
    const certificate = this.#proven(stable());
    if (certificate === undefined) return this.#refuse(client, read, "no-checkpoint");
    try {
      const answer = this.#read(client, read, certificate);
      if (typeof answer === "string") return this.#refuse(client, read, answer);
      this.#o.ports.sendToClient(client, { type: "state-read", read: answer });
    } catch (error) {
      this.#refuse(client, read, "no-state");
      this.#o.onThrown(error);
    }
  }

  #read(client: PublicKey, { id, query }: ReadState, certificate: CheckpointCertificate): StateRead | ReadRefusal {
    const bytesMax = stateReadBytesMax(this.#o.genesis.limits);
    const snapshot = this.#executor.snapshotAt(certificate.seq);
    if (snapshot === undefined) return "no-state";
    const isReadable = (key: Uint8Array): boolean => this.#isReadable(key, client);
    const found = readApplication(snapshot, query, { isReadable, bytesMax });
    // What comes to nothing may have been as much work as the most that anyone gets.
    const spent = typeof found === "string" ? bytesMax : ENTRY_COST * (1 + entriesOf(found)) + readBytes(found);
    this.#share.spend(client, this.#nowMs(), spent);
    return typeof found === "string" ? found : { id, certificate, ...found };
  }

  /** A service that says nothing of it shows nothing, and one that throws does not show that key. */
  #isReadable(key: Uint8Array, client: PublicKey): boolean {
    try {
      return this.#o.service.readable?.(copyBytes(key), client) === true;
    } catch {
      return false;
    }
  }

  /** A certificate with signatures. What an epoch begins with has none here; its link has. */
  #proven(stable: CheckpointCertificate): CheckpointCertificate | undefined {
    if (stable.signatures.length > 0) return stable;
    const { epochs, membership } = this.#o;
    if (membership.epoch === 0) return undefined;
    const [link] = epochs.linksAbove(epochNumber(membership.epoch - 1));
    return link?.certificate.seq === stable.seq ? link.certificate : undefined;
  }

  #refuseMore(client: PublicKey, read: ReadState): void {
    this.#o.observer.onRejection?.({ from: client, code: "ingress.over-budget" });
    this.#refuse(client, read, "over-budget");
  }

  #refuse(client: PublicKey, { id }: ReadState, reason: ReadRefusal): void {
    this.#o.ports.sendToClient(client, { type: "state-read", read: { id, type: "unavailable", reason } });
  }

  #nowMs(): number {
    return this.#o.ports.monotonicMs();
  }
}

function entriesOf(found: FoundEntries): number {
  return found.type === "values" ? found.values.length : found.entries.length;
}
