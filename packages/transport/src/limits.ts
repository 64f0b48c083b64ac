import { type Address, addressOf } from "@quorate/protocol";

import { TransportError } from "./transport-error.ts";

export type { Address };

/** Bounds of one authenticated link. */
export interface LinkLimits {
  /** Bytes of one frame, in either direction. */
  readonly frameBytesMax: number;
  /** Bytes that wait in this process for the peer to take them. */
  readonly queuedBytesMax: number;
  /** `drop` where the protocol sends again anyway; `close` where a peer that does not read has no business here. */
  readonly whenQueueFull: "drop" | "close";
}

/** Between replicas. */
export const REPLICA_LINK_LIMITS: LinkLimits = {
  frameBytesMax: 32 * 1024 * 1024,
  queuedBytesMax: 64 * 1024 * 1024,
  whenQueueFull: "drop",
};
/** A replica's end of a link with a client: one that never reads its replies is closed. */
export const CLIENT_LINK_LIMITS: LinkLimits = {
  frameBytesMax: 4 * 1024 * 1024,
  queuedBytesMax: 16 * 1024 * 1024,
  whenQueueFull: "close",
};
/** A client's own end: it sends again what a replica did not take. */
export const CLIENT_DIAL_LIMITS: LinkLimits = { ...CLIENT_LINK_LIMITS, whenQueueFull: "drop" };

/** Time-outs of a connection, in milliseconds. */
export interface LinkTimings {
  /** From the first byte of a connection, or the start of a dial, to a proven peer. */
  readonly unauthenticatedMs: number;
  /** Between two looks at whether the peer is alive; each silent one is answered with a probe. */
  readonly heartbeatMs: number;
  /** Silent intervals in a row after which a peer is given up. */
  readonly missedHeartbeatsMax: number;
}
export const DEFAULT_LINK_TIMINGS: LinkTimings = {
  unauthenticatedMs: 5_000,
  heartbeatMs: 2_000,
  missedHeartbeatsMax: 3,
};

/** Pings, pongs and empty frames that a peer may send in one heartbeat interval. */
export const CONTROL_FRAMES_MAX = 64;

/** The part of the platform's timers that links use; tests may bring their own. */
export interface Timers {
  setTimeout(callback: () => void, delayMs: number): unknown;
  clearTimeout(timer: unknown): void;
}
/** Timers of Node and of browsers alike. */
export const PLATFORM_TIMERS: Timers = {
  setTimeout: (callback, delayMs) => globalThis.setTimeout(callback, delayMs),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as ReturnType<typeof globalThis.setTimeout>),
};

/**
 * Reads `host:port`, an IPv6 host in brackets: `127.0.0.1:7000`, `[::1]:7000`, `replica-0.example:7000`.
 *
 * @throws TransportError `address.malformed`.
 */
export function parseAddress(text: string): Address {
  const address = addressOf(text);
  if (address !== undefined) return address;
  throw new TransportError(
    "address.malformed",
    `${JSON.stringify(text)} is not an address, expected host:port, or [IPv6]:port`,
  );
}

/** `host:port`, an IPv6 host in brackets. */
export function formatAddress(address: Address): string {
  return address.host.includes(":") ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`;
}
