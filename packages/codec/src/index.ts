/**
 * The wire: what replicas, clients and logs hold as bytes. CBOR in a closed, canonical subset with one encoding for
 * each value, bounded by the genesis limits before anything is allocated; `docs/wire.md` is its description.
 *
 * @packageDocumentation
 */
export { type ClientCodec, createClientCodec } from "./client-codec.ts";
export { type Codec, createCodec } from "./codec.ts";
export { type Decoded, type DecodeError, type DecodeErrorCode, describeDecodeError } from "./decode-error.ts";
export {
  CLIENT_FRAME_CODES,
  LOG_RECORD_CODES,
  REFUSAL_CODES,
  REPLICA_FRAME_CODES,
  SERVER_FRAME_CODES,
} from "./frames.ts";
export { decodePlainValue, encodePlainValue } from "./plain-values.ts";
export { DEPTH_MAX, preScan, type ScanLimits } from "./pre-scan.ts";
export { createReceiptCodec, type ReceiptCodec } from "./receipt-codec.ts";
export { REQUEST_TYPE_CODES } from "./requests.ts";
export { chunkFrameBytesMax } from "./state-transfer.ts";
export { PATH_SIBLINGS_MAX, type WireLimits, wireLimitsOf } from "./wire-limits.ts";
