/** Why an operation of the key-value store was refused. In the service it makes the operation fail with this message. */
export type KvErrorCode =
  | "kv.malformed"
  | "kv.key-length"
  | "kv.value-too-long"
  | "kv.range-limit"
  | "kv.not-a-number"
  | "kv.overflow";

/** Says what was expected and what came. */
export class KvError extends Error {
  readonly code: KvErrorCode;

  constructor(code: KvErrorCode, message: string) {
    super(message);
    this.name = "KvError";
    this.code = code;
  }
}
