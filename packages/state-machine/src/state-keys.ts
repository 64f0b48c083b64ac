/**
 * The layout of the replicated state: one ordered map, its parts told apart by the first byte of the key. Counters are
 * eight bytes big-endian, so that their order is the order of bytes.
 */

import { allocateBytes, type Digest, PreimageWriter, type PublicKey, type SessionId } from "@quorate/protocol";
import { CONFIGURATION_KEY, CONFIGURATION_PART } from "@quorate/reconfiguration";

const PART = {
  application: 0x01,
  progress: 0x02,
  session: 0x03,
  reply: 0x04,
  nonce: 0x05,
  nonceExpiry: 0x06,
  client: 0x07,
  clientBySessions: 0x08,
  sessionByUse: 0x09,
  configuration: CONFIGURATION_KEY[0] ?? 0,
  changeNonce: 0x0b,
  admission: 0x0c,
  checkpoints: 0x0d,
} as const;

/** Where the service's keys start. */
export const APPLICATION_START: Uint8Array = Uint8Array.of(PART.application);
/** The first key after the service's. */
export const APPLICATION_END: Uint8Array = Uint8Array.of(PART.application + 1);
/** How far execution has come: one record. */
export const PROGRESS_KEY: Uint8Array = Uint8Array.of(PART.progress);
/** The last checkpoints with their roots: one record. */
export const CHECKPOINTS_KEY: Uint8Array = Uint8Array.of(PART.checkpoints);

/** The parts of the state that a state transfer brings one after the other (protocol rule 10.2). */
const TRANSFERRED = { cluster: CONFIGURATION_PART, sessions: 1, application: 2 } as const;

/** The first byte of the paths of the service's keys. */
export const APPLICATION_PART: number = TRANSFERRED.application;

/** Which of them a key belongs to. */
export function partOf(key: Uint8Array): number {
  switch (key[0]) {
    case PART.application:
      return TRANSFERRED.application;
    case PART.progress:
    case PART.configuration:
    case PART.changeNonce:
    case PART.admission:
    case PART.checkpoints:
      return TRANSFERRED.cluster;
    default:
      return TRANSFERRED.sessions;
  }
}

/** A nonce that a reconfiguration of this epoch has spent. */
export function changeNonceKey(nonce: Digest): Uint8Array {
  return new PreimageWriter(33).u8(PART.changeNonce).hex32(nonce).finish();
}

/** All `changeNonceKey`s: `[from, to)`. */
export const CHANGE_NONCES: readonly [from: Uint8Array, to: Uint8Array] = [
  Uint8Array.of(PART.changeNonce),
  Uint8Array.of(PART.changeNonce + 1),
];

/** A client that may open sessions, where genesis lists them. */
export function admissionKey(client: PublicKey): Uint8Array {
  return new PreimageWriter(33).u8(PART.admission).hex32(client).finish();
}

/** All `admissionKey`s: `[from, to)`. */
export const ADMISSIONS: readonly [from: Uint8Array, to: Uint8Array] = [
  Uint8Array.of(PART.admission),
  Uint8Array.of(PART.admission + 1),
];

const UINT32_MAX = 0xffff_ffff;

export function applicationKey(key: Uint8Array): Uint8Array {
  const whole = allocateBytes(1 + key.length);
  whole[0] = PART.application;
  whole.set(key, 1);
  return whole;
}

export function sessionKey(session: SessionId): Uint8Array {
  return new PreimageWriter(33).u8(PART.session).hex32(session).finish();
}

/** The reply to one number of a session: the numbers of a window share its slots in turn. */
export function replyKey(session: SessionId, slot: number): Uint8Array {
  return new PreimageWriter(34).u8(PART.reply).hex32(session).u8(slot).finish();
}

export function nonceKey(client: PublicKey, nonce: Digest): Uint8Array {
  return new PreimageWriter(65).u8(PART.nonce).hex32(client).hex32(nonce).finish();
}

/** In the order in which nonces may be forgotten. */
export function nonceExpiryKey(lastValid: number, client: PublicKey, nonce: Digest): Uint8Array {
  return new PreimageWriter(73).u8(PART.nonceExpiry).u64(lastValid).hex32(client).hex32(nonce).finish();
}

/** All `nonceExpiryKey`s: `[from, to)`. */
export const NONCES_BY_EXPIRY: readonly [from: Uint8Array, to: Uint8Array] = [
  Uint8Array.of(PART.nonceExpiry),
  Uint8Array.of(PART.nonceExpiry + 1),
];

/** The `lastValid` of a `nonceExpiryKey`. */
export function lastValidOfExpiryKey(key: Uint8Array): number {
  return Number(new DataView(key.buffer, key.byteOffset, key.byteLength).getBigUint64(1));
}

/** Client and nonce of a `nonceExpiryKey`. */
export function nonceOfExpiryKey(key: Uint8Array): Uint8Array {
  return key.slice(9);
}

export function nonceKeyOf(clientAndNonce: Uint8Array): Uint8Array {
  return new PreimageWriter(65).u8(PART.nonce).raw(clientAndNonce).finish();
}

export function clientKey(client: PublicKey): Uint8Array {
  return new PreimageWriter(33).u8(PART.client).hex32(client).finish();
}

/**
 * The client with most open sessions comes first; of equals the one whose least recently used session was used first;
 * of equals the least key. `usedAt` may lag behind the use of that session.
 */
export function clientBySessionsKey(sessions: number, usedAt: number, client: PublicKey): Uint8Array {
  return new PreimageWriter(45)
    .u8(PART.clientBySessions)
    .u32(UINT32_MAX - sessions)
    .u64(usedAt)
    .hex32(client)
    .finish();
}

export const CLIENTS_BY_SESSIONS: readonly [from: Uint8Array, to: Uint8Array] = [
  Uint8Array.of(PART.clientBySessions),
  Uint8Array.of(PART.clientBySessions + 1),
];

/** A client's sessions, the least recently used first; `usedAt` may lag behind the session's last use. */
export function sessionByUseKey(client: PublicKey, usedAt: number, session: SessionId): Uint8Array {
  return new PreimageWriter(73).u8(PART.sessionByUse).hex32(client).u64(usedAt).hex32(session).finish();
}

/** All of a client's `sessionByUseKey`s: `[from, to)`. */
export function sessionsOfClient(client: PublicKey): readonly [from: Uint8Array, to: Uint8Array] {
  const from = new PreimageWriter(33).u8(PART.sessionByUse).hex32(client).finish();
  const to = new PreimageWriter(74).u8(PART.sessionByUse).hex32(client).raw(new Uint8Array(41).fill(0xff)).finish();
  return [from, to];
}
