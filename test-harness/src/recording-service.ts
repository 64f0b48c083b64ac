import { invariant, type SequenceNumber } from "@quorate/protocol";
import type { Service, ServiceMembership } from "@quorate/state-machine";

/** Names one call of one simulated client. */
export interface CallName {
  readonly client: number;
  readonly call: number;
}

/** An operation as a replica executed it. */
export interface ExecutedOperation extends CallName {
  readonly seq: SequenceNumber;
  /** What came back; undefined when the service threw. */
  readonly result: Uint8Array | undefined;
  /** The agreed time that it saw. */
  readonly timestampMs?: number;
}

const HEADER = 8;

/** An operation of the inner service under the name of its call. */
export function nameOperation({ client, call }: CallName, operation: Uint8Array): Uint8Array {
  const named = new Uint8Array(HEADER + operation.length);
  const view = new DataView(named.buffer);
  view.setUint32(0, client);
  view.setUint32(4, call);
  named.set(operation, HEADER);
  return named;
}

/** The name and the inner operation of a named one. */
export function parseNamedOperation(named: Uint8Array): { readonly name: CallName; readonly operation: Uint8Array } {
  invariant(named.length >= HEADER, "recording-service.no-name", { length: named.length });
  const view = new DataView(named.buffer, named.byteOffset, named.byteLength);
  return { name: { client: view.getUint32(0), call: view.getUint32(4) }, operation: named.subarray(HEADER) };
}

/**
 * A service that tells about each operation that really ran, whatever the replica around it believes.
 *
 * @param onMembership takes what it is told of new members, before the inner service is.
 */
export function recordingService(
  inner: Service,
  record: (executed: ExecutedOperation) => void,
  onMembership: (membership: ServiceMembership) => void = () => undefined,
): Service {
  return {
    ...hooksOf(inner),
    onMembership: (membership, state) => {
      onMembership(membership);
      inner.onMembership?.(membership, state);
    },
    execute: (named, state, context) => {
      const { name, operation } = parseNamedOperation(named);
      let result: Uint8Array | undefined;
      try {
        result = inner.execute(operation, state, context);
        return result;
      } finally {
        record({ ...name, seq: context.seq, result, timestampMs: context.timestampMs });
      }
    },
  };
}

function hooksOf(inner: Service): Omit<Service, "execute" | "onMembership"> {
  return {
    ...(inner.open !== undefined && { open: inner.open.bind(inner) }),
    ...(inner.readable !== undefined && { readable: inner.readable.bind(inner) }),
    ...(inner.undo !== undefined && { undo: inner.undo.bind(inner) }),
    ...(inner.finishBatch !== undefined && { finishBatch: inner.finishBatch.bind(inner) }),
  };
}
