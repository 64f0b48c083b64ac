/** Raw deflate (RFC 1951), elsewhere: no turn of this replica waits for it. Nothing here calls back before it returns. */
export interface Compressor {
  /** Undefined if it could not be done. */
  deflate(bytes: Uint8Array, done: (deflated: Uint8Array | undefined) => void): void;
  /** Undefined unless the bytes are one stream of exactly `length` bytes (at least 1), and nothing else; never makes more than that. */
  inflate(deflated: Uint8Array, length: number, done: (bytes: Uint8Array | undefined) => void): void;
}
