/**
 * Authenticated, bounded frames between peers. A link knows who is at its other end, delivers whole frames in order or
 * not at all, and never waits: what the peer does not take is dropped and counted, or the link is closed.
 *
 * @packageDocumentation
 */
export * from "./back-off.ts";
export { type AddressedDialOptions, dial } from "./dial.ts";
export { addressKey, DEFAULT_LISTENER_BOUNDS, type ListenerBounds } from "./door.ts";
export type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
export * from "./handshake.ts";
export * from "./hello.ts";
export * from "./identity.ts";
export * from "./limits.ts";
export * from "./link.ts";
export * from "./listen.ts";
export { LoopbackNetwork } from "./loopback.ts";
export * from "./persistent-link.ts";
export type { ListenerSnapshot, ReceptionOptions, RefusalReason } from "./reception.ts";
export * from "./transport-error.ts";
