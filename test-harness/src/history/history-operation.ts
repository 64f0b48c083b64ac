/** What a service that holds text can hold at a key; null for nothing. */
export type KvText = string | null;

/** What a client asked of one key. */
export type KvRequest =
  | { readonly op: "get" }
  | { readonly op: "put"; readonly value: string }
  | { readonly op: "del" }
  /** Sets `value` where `expect` is; null stands for an absent key on either side. */
  | { readonly op: "cas"; readonly expect: KvText; readonly value: KvText }
  | { readonly op: "incr"; readonly value: bigint };

/**
 * What came back: of get the value, of put and del whether there was one before, of cas whether it swapped and what is
 * there now, of incr the sum; or that the service refused the operation.
 */
export type KvAnswer =
  | { readonly type: "value"; readonly value: KvText }
  | { readonly type: "existed"; readonly existed: boolean }
  | { readonly type: "swapped"; readonly swapped: boolean; readonly current: KvText }
  | { readonly type: "sum"; readonly sum: bigint }
  | { readonly type: "failed" };

/** One call of one client, as the client saw it. */
export interface HistoryOperation {
  readonly client: number;
  readonly key: string;
  readonly request: KvRequest;
  /** Undefined if none came: it may have taken effect after the call, may do so later, or never. */
  readonly answer: KvAnswer | undefined;
  /** Nanoseconds of one clock that all clients of the history share. */
  readonly callNs: number;
  /** At least `callNs`; undefined exactly when there is no answer. */
  readonly returnNs: number | undefined;
}

/** A line for people: what was asked, what came, when. */
export function describeOperation({ client, key, request, answer, callNs, returnNs }: HistoryOperation): string {
  const asked = { ...request, op: undefined };
  const text = JSON.stringify({ key, ...asked }, bigintAsText);
  const came = answer === undefined ? "no answer" : JSON.stringify({ ...answer, type: undefined }, bigintAsText);
  const result = answer?.type === "failed" ? "failed" : came;
  return `client ${client} ${request.op} ${text} → ${result} [${callNs}, ${returnNs ?? "…"}] ns`;
}

function bigintAsText(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
