import { sessionIdOf } from "@quorate/crypto";
import {
  type ClusterId,
  type EvictedSession,
  type Hasher,
  invariant,
  type Limits,
  type PublicKey,
  type RegistrationRequest,
  type ResultStatus,
  requestNumber,
  type SequenceNumber,
  type SessionId,
  type SessionProgress,
  sequenceNumber,
} from "@quorate/protocol";
import type { CommittedSessions } from "./committed-sessions.ts";
import type { Overlay } from "./overlay.ts";
import {
  type CachedReply,
  type ClientUse,
  clientOfIndexKey,
  decodeClientUse,
  decodeNonce,
  encodeClientUse,
  encodeNonce,
  encodeReply,
  encodeSession,
  type Session,
  sessionOfIndexKey,
} from "./records.ts";
import {
  CLIENTS_BY_SESSIONS,
  clientBySessionsKey,
  clientKey,
  lastValidOfExpiryKey,
  NONCES_BY_EXPIRY,
  nonceExpiryKey,
  nonceKey,
  nonceKeyOf,
  nonceOfExpiryKey,
  replyKey,
  sessionByUseKey,
  sessionKey,
  sessionsOfClient,
} from "./state-keys.ts";

/** The most nonces that one batch forgets; the rest wait for the next. */
export const NONCES_FORGOTTEN_PER_BATCH_MAX = 1024;
/** Nonces remembered in the whole cluster, as a multiple of `sessionsMax`: beyond it registrations meet the quota. */
export const NONCES_PER_SESSION_MAX = 4;

/**
 * Clients that one batch moves in the index by use, at most; each for requests that it executed since it was last moved.
 * Beyond, a registration that needs another's session is refused: one batch does not wait for an index of a million.
 */
export const CLIENTS_MOVED_PER_BATCH_MAX = 128;

/** How a registration ends. */
export type RegistrationOutcome =
  | { readonly status: "ok"; readonly session: SessionId }
  | { readonly status: Exclude<ResultStatus, "ok"> };

/** What a batch's session table is made of. */
export interface SessionTableOptions {
  readonly committed: CommittedSessions;
  readonly overlay: Overlay;
  readonly limits: Limits;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  readonly seq: SequenceNumber;
  /** Open sessions and remembered nonces before the batch. */
  readonly sessions: number;
  readonly nonces: number;
}

const NOTHING = new Uint8Array(0);
const UNUSED: ClientUse = { sessions: 0, fresh: 0, orphans: 0, indexedAt: sequenceNumber(0) };

/**
 * The session table while one batch is executed (protocol rules 3.2 to 3.4). All of it is replicated state, and every
 * choice depends on that state alone.
 *
 * A registration counts against its key's quota as long as its session is open or its nonce is remembered. A key at its
 * quota gives up its own least recently used session whose nonce may be forgotten; only when there is none is it
 * refused. So a key that opens session after session without ever closing one goes on working, within its quota.
 */
export class SessionTable {
  readonly #o: SessionTableOptions;
  readonly #changed = new Map<SessionId, Session | undefined>();
  readonly #evicted: EvictedSession[] = [];
  #sessions: number;
  #nonces: number;
  #clientsMoved = 0;

  constructor(options: SessionTableOptions) {
    this.#o = options;
    this.#sessions = options.sessions;
    this.#nonces = options.nonces;
  }

  get sessions(): number {
    return this.#sessions;
  }
  get nonces(): number {
    return this.#nonces;
  }
  /** Sessions that the batch opened or used, and as `undefined` those that it evicted. */
  get changed(): ReadonlyMap<SessionId, Session | undefined> {
    return this.#changed;
  }
  /** The sessions that the batch evicted. */
  get evicted(): readonly EvictedSession[] {
    return this.#evicted;
  }

  find(id: SessionId): Session | undefined {
    return this.#changed.has(id) ? this.#changed.get(id) : this.#o.committed.find(id);
  }

  /** The session has executed its expected number, with this reply. */
  advance(session: Session, reply: CachedReply): void {
    const { overlay, limits, seq } = this.#o;
    overlay.put(replyKey(session.id, reply.number % limits.sessionWindow), encodeReply(reply));
    this.#changed.set(session.id, { ...session, expected: requestNumber(session.expected + 1), usedAt: seq });
  }

  /** Executes a registration of an admitted client; `index` is its place in the batch. */
  register(request: RegistrationRequest, index: number): RegistrationOutcome {
    const { overlay, limits, hasher, cluster, seq } = this.#o;
    const { client, nonce, lastValid } = request;
    const known = overlay.get(nonceKey(client, nonce));
    if (known !== undefined) {
      const { session } = decodeNonce(known);
      return this.find(session) === undefined ? { status: "session-unknown" } : { status: "ok", session };
    }
    if (lastValid < seq) return { status: "registration-expired" };
    if (lastValid > seq + limits.registrationValidityMax) return { status: "registration-too-far" };
    if (!this.#makeRoomFor(client)) return { status: "registration-quota" };
    const session = sessionIdOf(hasher, cluster, client, nonce, seq, index);
    this.#open(session, request);
    return { status: "ok", session };
  }

  /** Forgets nonces whose validity ended before this batch: a registration with one of them would be refused anyway. */
  forgetNonces(): void {
    const { committed, overlay, seq } = this.#o;
    // Most batches end here, without the range, which costs as much as several reads.
    if (seq <= committed.noncesValidUntil) return;
    let left = NONCES_FORGOTTEN_PER_BATCH_MAX;
    for (const [key] of overlay.range(...NONCES_BY_EXPIRY)) {
      committed.noncesValidUntil = lastValidOfExpiryKey(key);
      if (committed.noncesValidUntil >= seq || left-- === 0) return;
      const byNonce = nonceKeyOf(nonceOfExpiryKey(key));
      const record = overlay.get(byNonce);
      invariant(record !== undefined, "session.nonce-index");
      overlay.put(key, undefined);
      overlay.put(byNonce, undefined);
      this.#nonces--;
      this.#forgetNonceOf(decodeNonce(record).session, clientOfIndexKey(byNonce.subarray(0, 33)));
    }
    committed.noncesValidUntil = Number.POSITIVE_INFINITY;
  }

  /** Writes the changed sessions into the overlay: once for each, however many requests of it the batch held. */
  finish(): void {
    for (const [id, session] of this.#changed)
      if (session !== undefined) this.#o.overlay.put(sessionKey(id), encodeSession(session));
  }

  #forgetNonceOf(id: SessionId, client: PublicKey): void {
    const session = this.find(id);
    const use = this.#useOf(client);
    if (session === undefined) return this.#setUse(client, use, { ...use, orphans: use.orphans - 1 });
    this.#changed.set(id, { ...session, isNonceRemembered: false });
    this.#setUse(client, use, { ...use, fresh: use.fresh - 1 });
  }

  #makeRoomFor(client: PublicKey): boolean {
    const { limits } = this.#o;
    if (this.#nonces >= limits.sessionsMax * NONCES_PER_SESSION_MAX) return false;
    const use = this.#useOf(client);
    if (use.sessions + use.orphans >= limits.sessionsPerClientMax) {
      if (use.sessions === use.fresh) return false;
      this.#evictFrom(client, true);
    }
    if (this.#sessions < limits.sessionsMax) return true;
    const givingWay = this.#clientToGiveWay();
    if (givingWay !== undefined) this.#evictFrom(givingWay, false);
    return givingWay !== undefined;
  }

  #open(id: SessionId, { client, nonce, lastValid }: RegistrationRequest): void {
    const { committed, overlay, seq } = this.#o;
    committed.noncesValidUntil = Math.min(committed.noncesValidUntil, lastValid);
    const use = this.#useOf(client);
    const indexedAt = use.sessions === 0 ? seq : use.indexedAt;
    this.#setUse(client, use, { ...use, sessions: use.sessions + 1, fresh: use.fresh + 1, indexedAt });
    overlay.put(nonceKey(client, nonce), encodeNonce({ lastValid, session: id }));
    overlay.put(nonceExpiryKey(lastValid, client, nonce), NOTHING);
    overlay.put(sessionByUseKey(client, seq, id), NOTHING);
    const expected = requestNumber(1);
    this.#changed.set(id, { id, client, expected, usedAt: seq, indexedAt: seq, isNonceRemembered: true });
    this.#sessions++;
    this.#nonces++;
  }

  /**
   * The client with most sessions; of equals the one whose least recently used session was used first, so that a swarm
   * of fresh keys takes the sessions that nobody uses before those that are in use. Undefined when this batch has looked
   * long enough: the next one goes on where it ended.
   */
  #clientToGiveWay(): PublicKey | undefined {
    for (const [key] of this.#o.overlay.range(...CLIENTS_BY_SESSIONS)) {
      const client = clientOfIndexKey(key);
      const use = this.#useOf(client);
      const { usedAt } = this.#leastRecentlyUsed(client, false);
      if (usedAt === use.indexedAt) return client;
      if (this.#clientsMoved >= CLIENTS_MOVED_PER_BATCH_MAX) return undefined;
      this.#clientsMoved++;
      this.#setUse(client, use, { ...use, indexedAt: usedAt });
    }
    invariant(false, "session.no-client");
  }

  #evictFrom(client: PublicKey, onlyForgettable: boolean): void {
    const session = this.#leastRecentlyUsed(client, onlyForgettable);
    this.#o.overlay.put(sessionByUseKey(client, session.usedAt, session.id), undefined);
    this.#evict(session);
  }

  /**
   * A client's least recently used session (of equals that with the least id), if asked only among those whose nonce may
   * be forgotten. The index may lag behind the use of a session: what it finds out of date it moves to its place, which
   * costs at most one move for each request that the session executed.
   */
  #leastRecentlyUsed(client: PublicKey, onlyForgettable: boolean): Session {
    const { overlay } = this.#o;
    for (const [key] of overlay.range(...sessionsOfClient(client))) {
      const session = this.find(sessionOfIndexKey(key));
      invariant(session !== undefined, "session.use-index");
      if (session.indexedAt < session.usedAt) {
        overlay.put(key, undefined);
        overlay.put(sessionByUseKey(client, session.usedAt, session.id), NOTHING);
        this.#changed.set(session.id, { ...session, indexedAt: session.usedAt });
      } else if (!(onlyForgettable && session.isNonceRemembered)) return session;
    }
    invariant(false, "session.nothing-to-evict", { client });
  }

  #evict(session: Session): void {
    this.#evicted.push({ client: session.client, session: session.id });
    const { overlay, limits } = this.#o;
    const remembered = Math.min(session.expected - 1, limits.sessionWindow);
    for (let back = 1; back <= remembered; back++)
      overlay.put(replyKey(session.id, (session.expected - back) % limits.sessionWindow), undefined);
    overlay.put(sessionKey(session.id), undefined);
    this.#changed.set(session.id, undefined);
    this.#sessions--;
    const use = this.#useOf(session.client);
    const fresh = session.isNonceRemembered ? 1 : 0;
    this.#setUse(session.client, use, {
      ...use,
      sessions: use.sessions - 1,
      fresh: use.fresh - fresh,
      orphans: use.orphans + fresh,
    });
  }

  #useOf(client: PublicKey): ClientUse {
    const bytes = this.#o.overlay.get(clientKey(client));
    return bytes === undefined ? UNUSED : decodeClientUse(bytes);
  }

  #setUse(client: PublicKey, before: ClientUse, after: ClientUse): void {
    const { overlay } = this.#o;
    const isGone = after.sessions === 0 && after.orphans === 0;
    overlay.put(clientKey(client), isGone ? undefined : encodeClientUse(after));
    if (before.sessions === after.sessions && before.indexedAt === after.indexedAt) return;
    if (before.sessions > 0) overlay.put(clientBySessionsKey(before.sessions, before.indexedAt, client), undefined);
    if (after.sessions > 0) overlay.put(clientBySessionsKey(after.sessions, after.indexedAt, client), NOTHING);
  }
}

/** The number that each session expects next, for those that are still open. */
export function progressOf(changed: ReadonlyMap<SessionId, Session | undefined>): readonly SessionProgress[] {
  const open: SessionProgress[] = [];
  for (const session of changed.values())
    if (session !== undefined) open.push({ client: session.client, session: session.id, expected: session.expected });
  return open;
}
