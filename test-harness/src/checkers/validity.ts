import { requestDigest, sessionIdOf } from "@quorate/crypto";
import {
  bytesToHex,
  type ClusterId,
  type CommittedEntry,
  type Digest,
  type Hasher,
  type PublicKey,
  type ReplicaFrame,
  type ReplicaId,
  type Request,
} from "@quorate/protocol";
import { parseNamedOperation } from "../recording-service.ts";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/**
 * Validity, and the order of sessions: everything in the history was signed by a client of the cluster; and what ran is
 * what a reader of the history alone says should have run: of each session the numbers 1, 2, 3, … each once.
 */
export class ValidityChecker implements Checker {
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  readonly #clients: ReadonlyMap<PublicKey, number>;
  /** Of all that clients have signed. A history may hold other signatures: a certificate vouches for the digest only. */
  readonly #signed = new Set<Digest>();
  readonly #mayBeEvicted: (client: number) => boolean;
  readonly #memberKeys: ReadonlyMap<PublicKey, number>;
  /** Checkpoints that correct members have ordered. */
  readonly #ordered = new Set<Digest>();
  readonly #ran = new Map<number, readonly string[]>();
  readonly #submitted = new Map<string, string>();

  constructor(
    hasher: Hasher,
    cluster: ClusterId,
    clients: ReadonlyMap<PublicKey, number>,
    mayBeEvicted: (client: number) => boolean = () => false,
    memberKeys: ReadonlyMap<PublicKey, number> = new Map(),
  ) {
    this.#memberKeys = memberKeys;
    this.#mayBeEvicted = mayBeEvicted;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#clients = clients;
  }

  onRequest(_client: number, request: Request): void {
    this.#signed.add(requestDigest(this.#hasher, this.#cluster, request));
  }

  /** A member that is quarantined orders checkpoints with its own key. */
  onSent(from: ReplicaId, frame: ReplicaFrame): void {
    if (frame.type !== "request" || frame.request.type !== "checkpoint") return;
    if (this.#memberKeys.get(frame.request.client) === from)
      this.#ordered.add(requestDigest(this.#hasher, this.#cluster, frame.request));
  }

  onSubmitted(client: number, call: number, operation: Uint8Array): void {
    this.#submitted.set(`${client}/${call}`, bytesToHex(operation));
  }

  onExecuted({ seq, operations }: ExecutionStep): void {
    this.#ran.set(
      seq,
      operations.map(({ client, call }) => `${client}/${call}`),
    );
  }

  atEnd({ history }: Ending): void {
    const expected = new Map<string, number>();
    for (const { batch, certificate } of history) {
      const due = batch.requests.flatMap((request, index) => this.#callsOf(request, index, certificate, expected));
      const ran = this.#ran.get(certificate.seq) ?? [];
      demand(this.#haveRun(due, ran), "validity.ran", { seq: certificate.seq, ran, due });
    }
  }

  /**
   * Whether what ran is what was due, in order. Sessions of a client that opens too many are evicted, and their requests have no
   * effect; one call of such a client may stand in several requests, of which some run and some do not (seed 2711).
   */
  #haveRun(due: readonly string[], ran: readonly string[]): boolean {
    let matched = 0;
    for (const call of due) {
      if (ran[matched] === call) matched += 1;
      else if (!this.#mayBeEvicted(Number.parseInt(call, 10))) return false;
    }
    return matched === ran.length;
  }

  /** What this request makes run, and what its session expects after it. */
  #callsOf(
    request: Request,
    index: number,
    { seq }: CommittedEntry["certificate"],
    expected: Map<string, number>,
  ): readonly string[] {
    const digest = requestDigest(this.#hasher, this.#cluster, request);
    if (this.#ordered.has(digest)) return [];
    const client = this.#clients.get(request.client);
    demand(client !== undefined, "validity.stranger", { seq, client: request.client });
    demand(this.#signed.has(digest), "validity.never-signed", { seq, client, digest });
    if (request.type === "registration") {
      // If it was refused, nobody ever learns this name.
      const session = sessionIdOf(this.#hasher, this.#cluster, request.client, request.nonce, seq, index);
      expected.set(`${request.client}/${session}`, 1);
      return [];
    }
    if (request.type !== "operations") return [];
    const session = `${request.client}/${request.session}`;
    if (request.number !== expected.get(session)) return [];
    expected.set(session, request.number + 1);
    return request.operations.map((named) => {
      const { name, operation } = parseNamedOperation(named);
      const call = `${name.client}/${name.call}`;
      demand(name.client === client, "validity.owner", { seq, call, client });
      demand(this.#submitted.get(call) === bytesToHex(operation), "validity.operation", { seq, call });
      return call;
    });
  }
}
