/** What goes wrong between sockets, as typed one-line errors, and how a refusal crosses the wire. */

/** The longest close reason that WebSocket allows, in bytes (RFC 6455 §5.5). */
export const CLOSE_REASON_BYTES_MAX = 123;

/**
 * WebSocket close code of each reason that one end tells the other. 4000–4999 are for applications (RFC 6455 §7.4.2);
 * append only.
 */
export const CLOSE_CODES = {
  "link.closed": 1000,
  "link.text-frame": 1003,
  "link.frame-too-large": 1009,
  "hello.malformed": 4000,
  "hello.format-version": 4001,
  "hello.wrong-cluster": 4002,
  "hello.wrong-peer": 4003,
  "hello.unknown-replica": 4004,
  "hello.wrong-key": 4005,
  "hello.not-admitted": 4006,
  "hello.bad-proof": 4007,
  "hello.timeout": 4008,
  "hello.reflected": 4009,
  "link.replaced": 4010,
  "link.heartbeat": 4011,
  "link.slow-receiver": 4012,
  "link.control-flood": 4013,
  "link.client-links": 4014,
  "link.observer-links": 4015,
} as const;

/** A reason that has a close code, so that the other end learns of it. */
export type CloseCause = keyof typeof CLOSE_CODES;

/** A reason that only this end knows. */
export type LocalCause =
  | "link.lost"
  | "link.protocol"
  | "link.other-close"
  | "address.malformed"
  | "dial.refused"
  | "dial.unreachable"
  | "dial.failed"
  | "listen.address-in-use"
  | "listen.address-not-available"
  | "listen.permission"
  | "listen.failed";

export type TransportErrorCode = CloseCause | LocalCause;

/** Why a link, a dial or a listener ended. The message is one line of printable text, whoever wrote it. */
export class TransportError extends Error {
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string) {
    super(oneLine(message, MESSAGE_LENGTH_MAX));
    this.name = "TransportError";
    this.code = code;
  }
}

const MESSAGE_LENGTH_MAX = 300;

/** The text of a close frame: printable ASCII, at most `CLOSE_REASON_BYTES_MAX` bytes. */
export function closeReason(text: string): string {
  return oneLine(text, CLOSE_REASON_BYTES_MAX);
}

/** The close code that tells the other end `code`; 1011 (internal error) for what is none of its business. */
export function closeCodeOf(code: TransportErrorCode): number {
  return code in CLOSE_CODES ? CLOSE_CODES[code as CloseCause] : 1011;
}

const CAUSES: ReadonlyMap<number, CloseCause> = new Map(
  Object.entries(CLOSE_CODES).map(([cause, code]) => [code, cause as CloseCause]),
);

/** What the other end meant with a close frame. Its text is untrusted and is cleaned. */
export function errorOfClose(closeCode: number, reason: string): TransportError {
  const cause = CAUSES.get(closeCode);
  if (cause !== undefined) return new TransportError(cause, `the other end closed: ${reason || cause}`);
  if (closeCode === 1006) return new TransportError("link.lost", "the connection was lost without a goodbye");
  return new TransportError(
    "link.other-close",
    `the other end closed with code ${closeCode}: ${reason || "no reason"}`,
  );
}

/** Peers choose these texts: nothing in them may forge a log line or move a terminal's cursor. */
function oneLine(text: string, lengthMax: number): string {
  const clean = text.replace(/[^\x20-\x7e]+/g, "?");
  return clean.length <= lengthMax ? clean : `${clean.slice(0, lengthMax - 3)}...`;
}
