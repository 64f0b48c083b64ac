import { invariant, type OrderedReader, type RequestNumber, type SessionId } from "@quorate/protocol";
import { type CachedReply, decodeReply, decodeSession, type Session } from "./records.ts";
import { replyKey, sessionKey } from "./state-keys.ts";

/** The most open sessions that are kept decoded; the others are read when they are asked for. */
export const SESSIONS_CACHED_MAX = 4096;

/** The session table as of the last executed batch, with the recently used sessions decoded. */
export class CommittedSessions {
  readonly #state: OrderedReader;
  /** The least recently used first. A cache: nothing depends on its order. */
  readonly #cached = new Map<SessionId, Session>();
  /**
   * No remembered nonce is of a registration whose validity ended before this number: batches up to it have none to
   * forget, and need not look. Derived from the state, so nothing depends on it either; 0 before the first look.
   */
  noncesValidUntil = 0;

  constructor(state: OrderedReader) {
    this.#state = state;
  }

  find(id: SessionId): Session | undefined {
    const cached = this.#cached.get(id);
    if (cached !== undefined) return cached;
    const bytes = this.#state.get(sessionKey(id));
    if (bytes === undefined) return undefined;
    const session = decodeSession(id, bytes);
    this.#remember(session);
    return session;
  }

  /** A batch has been executed and written; `undefined` says that the session was evicted. */
  adopt(changes: Iterable<readonly [SessionId, Session | undefined]>): void {
    for (const [id, session] of changes) {
      this.#cached.delete(id);
      if (session !== undefined) this.#remember(session);
    }
  }

  #remember(session: Session): void {
    for (const oldest of this.#cached.keys()) {
      if (this.#cached.size < SESSIONS_CACHED_MAX) break;
      this.#cached.delete(oldest);
    }
    this.#cached.set(session.id, session);
  }
}

/** The reply to a number in a session's window. */
export function readReply(
  state: OrderedReader,
  session: SessionId,
  number: RequestNumber,
  sessionWindow: number,
): CachedReply {
  const bytes = state.get(replyKey(session, number % sessionWindow));
  invariant(bytes !== undefined, "session.reply-missing", { session, number });
  const reply = decodeReply(bytes);
  invariant(reply.number === number, "session.reply-of-other-number", { session, number, found: reply.number });
  return reply;
}

/** Whether `number` has been executed and its reply is remembered. */
export function isInWindow(session: Session, number: RequestNumber, sessionWindow: number): boolean {
  return number < session.expected && number >= session.expected - sessionWindow && number >= 1;
}
