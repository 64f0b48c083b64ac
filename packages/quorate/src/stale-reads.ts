import {
  EpochQuestion,
  type ProvenRead,
  type ReadFailureCode,
  type ReadFault,
  type ReadSource,
  type StaleRead,
  StateReading,
  type StateReadingEffect,
  type StateReadingEvent,
} from "@quorate/client-proxy";
import type { Verifier } from "@quorate/crypto";
import type {
  ClientFrame,
  ClusterId,
  Epoch,
  EpochLink,
  Hasher,
  ReplicaId,
  ServerFrame,
  StateRead,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import { isApplicationProven } from "@quorate/state-machine";
import { type PersistentLink, parseAddress } from "@quorate/transport/client";
import type { LinkCalls } from "./member-links.ts";

export interface StaleReadsOptions {
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
  readonly chain: EpochChain;
  readonly verifier: Verifier;
  /** A number of at least 0 and less than `count`. */
  readonly choose: (count: number) => number;
  /** Milliseconds that never go back. */
  readonly nowMs: () => number;
  readonly links: () => ReadLinks;
}

/** What reads need of the links of a client. */
export interface ReadLinks {
  /** Which member this is the address of; undefined for one of somebody else. */
  memberAt(address: string): ReplicaId | undefined;
  isUp(replica: ReplicaId): boolean;
  send(replica: ReplicaId, frame: ClientFrame): void;
  /** Dials whoever is at an address, whatever its key. */
  dial(address: string, calls: LinkCalls): PersistentLink;
  encode(frame: ClientFrame): Uint8Array;
  /** Undefined for what is no frame. */
  decode(bytes: Uint8Array): ServerFrame | undefined;
  /** A member is in a later epoch. */
  onTold(replica: ReplicaId, epoch: Epoch): void;
  /** Links of the epoch chain, which prove themselves. */
  onLinks(links: readonly EpochLink[]): void;
}

/** Reads that are not settled, and the link that some of them go over. */
interface OtherLink {
  link: PersistentLink | undefined;
  readonly calls: Set<number>;
  readonly question: EpochQuestion;
}

interface WaitingRead {
  readonly resolve: (read: ProvenRead) => void;
  readonly reject: (failure: StaleReadFailure) => void;
}

/** Why there is no proven answer, and who was asked in vain for which reason. */
export interface StaleReadFailure {
  readonly code: ReadFailureCode;
  readonly message: string;
}

/** Addresses of others than members that are read from at once. */
const OTHER_LINKS_MAX = 8;

/**
 * The stale reads of a client: over its links to members, and over links of their own to whoever else is named. Of those only
 * reads and links of the epoch chain are taken, which both prove themselves, so it does not matter who is there.
 */
export class StaleReads {
  readonly #o: StaleReadsOptions;
  readonly #reading: StateReading;
  readonly #waiting = new Map<number, WaitingRead>();
  readonly #others = new Map<string, OtherLink>();
  readonly #members = new Set<ReplicaId>();
  #calls = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: StaleReadsOptions) {
    this.#o = options;
    const { chain, verifier, hasher, cluster, choose } = options;
    this.#reading = new StateReading({
      chain,
      choose,
      isCertified: (certificate, membership) =>
        verifier.verifyCheckpointCertificate(certificate, membership) !== undefined,
      isProven: (stateRoot, key, value, proof) =>
        isApplicationProven({ hasher, cluster, stateRoot }, key, value, proof),
    });
  }

  /** @throws StaleReadFailure, or a TransportError for an address that is none (the promise rejects). */
  async read({ from, ...read }: StaleRead): Promise<ProvenRead> {
    const call = this.#calls++;
    if (typeof from === "string") parseAddress(from);
    const source = typeof from === "string" ? (this.#o.links().memberAt(from) ?? from) : from;
    return new Promise((resolve, reject) => {
      if (typeof source === "string" && !this.#isThereRoomFor(source))
        return reject({
          code: "client.overloaded",
          message: `reads from ${OTHER_LINKS_MAX} addresses are under way, which is the most at once; wait for one`,
        } satisfies StaleReadFailure);
      this.#waiting.set(call, { resolve, reject });
      this.#step({ type: "read", call, read: { ...read, ...(source !== undefined && { from: source }) } });
      if (typeof source === "string" && this.#waiting.has(call)) this.#useOther(source, call);
    });
  }

  onUp(replica: ReplicaId): void {
    this.#members.add(replica);
    this.#step({ type: "source-up", source: replica });
  }
  onDown(replica: ReplicaId): void {
    this.#members.delete(replica);
    this.#step({ type: "source-down", source: replica });
  }
  onStateRead(from: ReplicaId, read: StateRead): void {
    this.#step({ type: "state-read", from, read });
  }

  /** The members are others, and some are not linked any more. */
  onEpoch(): void {
    for (const replica of [...this.#members]) if (!this.#o.links().isUp(replica)) this.onDown(replica);
    this.#step({ type: "epoch" });
  }

  /** Ends what waits, and every link of its own. */
  close(): void {
    this.#step({ type: "close" });
    clearTimeout(this.#timer);
    for (const address of [...this.#others.keys()]) this.#endOther(address);
  }

  #isThereRoomFor(address: string): boolean {
    return this.#others.has(address) || this.#others.size < OTHER_LINKS_MAX;
  }

  #useOther(address: string, call: number): void {
    const open = this.#others.get(address);
    if (open !== undefined) {
      open.calls.add(call);
      return;
    }
    const own: OtherLink = { link: undefined, calls: new Set([call]), question: new EpochQuestion(this.#o.chain) };
    this.#others.set(address, own);
    const isCurrent = (): boolean => this.#others.get(address) === own;
    own.link = this.#o.links().dial(address, {
      onUp: () => {
        if (!isCurrent()) return;
        this.#askForLinks(own);
        this.#step({ type: "source-up", source: address });
      },
      onDown: () => {
        own.question.onDown();
        if (isCurrent()) this.#step({ type: "source-down", source: address });
      },
      onFrame: (bytes) => {
        if (isCurrent()) this.#onOtherFrame(address, own, bytes);
      },
    });
  }

  #onOtherFrame(address: string, own: OtherLink, bytes: Uint8Array): void {
    const frame = this.#o.links().decode(bytes);
    if (frame?.type === "state-read") return this.#step({ type: "state-read", from: address, read: frame.read });
    if (frame?.type !== "epoch-links") return;
    if (own.question.onLinks(frame.links, (links) => this.#o.links().onLinks(links)) === "more") this.#askForLinks(own);
  }

  #askForLinks(own: OtherLink): void {
    own.link?.send(this.#o.links().encode(own.question.ask(this.#o.nowMs())));
  }

  #endOther(address: string): void {
    const own = this.#others.get(address);
    this.#others.delete(address);
    own?.link?.close("nothing is read from it");
    this.#step({ type: "source-down", source: address });
  }

  #step(event: StateReadingEvent extends infer E ? (E extends unknown ? Omit<E, "atMs"> : never) : never): void {
    const effects = this.#reading.step({ ...event, atMs: this.#o.nowMs() } as StateReadingEvent);
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: StateReadingEffect): void {
    switch (effect.type) {
      case "send":
        return this.#send(effect.to, effect.frame);
      case "epoch-told": {
        if (typeof effect.from !== "string") return this.#o.links().onTold(effect.from, effect.epoch);
        const own = this.#others.get(effect.from);
        if (own !== undefined && (!own.question.isOpen || own.question.isLate(this.#o.nowMs()))) this.#askForLinks(own);
        return;
      }
      case "start-timer": {
        clearTimeout(this.#timer);
        const { token } = effect;
        this.#timer = setTimeout(() => this.#step({ type: "timeout", token }), effect.afterMs);
        return;
      }
      case "cancel-timer":
        return clearTimeout(this.#timer);
      case "settle":
        return this.#settle(effect);
    }
  }

  #send(to: ReadSource, frame: ClientFrame): void {
    const links = this.#o.links();
    if (typeof to === "string") this.#others.get(to)?.link?.send(links.encode(frame));
    else links.send(to, frame);
  }

  #settle({ call, outcome }: Extract<StateReadingEffect, { type: "settle" }>): void {
    const waiting = this.#waiting.get(call);
    this.#waiting.delete(call);
    if (outcome.type === "read") waiting?.resolve(outcome.read);
    else waiting?.reject({ code: outcome.code, message: describe(outcome.code, outcome.refused) });
    for (const [address, { calls }] of [...this.#others])
      if (calls.delete(call) && calls.size === 0) this.#endOther(address);
  }
}

const CODES: { readonly [C in ReadFailureCode]: string } = {
  "client.read-refused": "nobody who can be asked gives a proven answer",
  "client.read-unanswered": "no proven answer before the deadline",
  "client.overloaded": "too many reads wait; wait for some of them",
  "client.closed": "the client was closed",
};

const FAULTS: { readonly [F in ReadFault]: string } = {
  "no-checkpoint": "has no stable checkpoint yet (`quorate checkpoint` orders one)",
  "no-state": "is having its state brought to it or repaired",
  "over-budget": "was asked for more than a client's share",
  "not-readable": "shows no such key: its service allows no stale read of it",
  "too-large": "has more there than one answer holds; ask for fewer keys at once",
  "other-question": "LIED: it answered another question",
  "bad-certificate": "LIED: its checkpoint is not signed by a quorum",
  "out-of-epoch": "LIED: its checkpoint has a number that the epoch which signed it never had",
  "bad-proof": "LIED: its proof does not show what it says",
  silent: "did not answer",
  "too-old": "has no checkpoint that is new enough",
  "unknown-epoch": "answers from an epoch that nobody has proven",
};

function describe(code: ReadFailureCode, refused: ReadonlyMap<ReadSource, ReadFault>): string {
  const who = (source: ReadSource): string => (typeof source === "string" ? source : `replica ${source}`);
  const reasons = [...refused].map(([source, fault]) => `${who(source)} ${FAULTS[fault]}`);
  return [CODES[code], ...(reasons.length === 0 ? [] : [reasons.join(", ")])].join(": ");
}
