/** Requests and batches on the wire. */
import {
  assertNever,
  BATCH_RECONFIGURATIONS_MAX,
  type Batch,
  type CheckpointRequest,
  type OperationsRequest,
  type RegistrationRequest,
  type Request,
} from "@quorate/protocol";
import { RECONFIGURATION, readReconfiguration, writeReconfiguration } from "./reconfigurations.ts";
import type { Tuple } from "./tuple.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of requests; append only. */
export const REQUEST_TYPE_CODES: Readonly<Record<Request["type"], number>> = {
  operations: 1,
  registration: 2,
  checkpoint: 3,
  reconfiguration: RECONFIGURATION,
};

export function writeRequest(writer: Writer, request: Request): void {
  switch (request.type) {
    case "operations":
      return writeOperations(writer, request);
    case "registration":
      return writeRegistration(writer, request);
    case "checkpoint":
      return writeCheckpointRequest(writer, request);
    case "reconfiguration":
      return writeReconfiguration(writer, request);
    default:
      return assertNever(request);
  }
}

export function readRequest(tuple: Tuple): Request {
  switch (tuple.uint(0, "type")) {
    case REQUEST_TYPE_CODES.registration:
      return readRegistration(tuple);
    case REQUEST_TYPE_CODES.checkpoint:
      return readCheckpointRequest(tuple);
    case REQUEST_TYPE_CODES.reconfiguration:
      return readReconfiguration(tuple);
    default:
      return readOperations(tuple);
  }
}

function writeRegistration(writer: Writer, request: RegistrationRequest): void {
  writer.array(5).uint(REQUEST_TYPE_CODES.registration).hex32(request.client).hex32(request.nonce);
  writer.uint(request.lastValid).signature(request.signature);
}
function readRegistration(tuple: Tuple): RegistrationRequest {
  tuple.shape(5);
  return {
    type: "registration",
    client: tuple.hex32(1, "client"),
    nonce: tuple.hex32(2, "nonce"),
    lastValid: tuple.counter(3, "lastValid"),
    signature: tuple.signature(4, "signature"),
  };
}

function writeCheckpointRequest(writer: Writer, request: CheckpointRequest): void {
  writer.array(5).uint(REQUEST_TYPE_CODES.checkpoint).hex32(request.client).uint(request.epoch);
  writer.uint(request.above).signature(request.signature);
}
function readCheckpointRequest(tuple: Tuple): CheckpointRequest {
  tuple.shape(5);
  return {
    type: "checkpoint",
    client: tuple.hex32(1, "client"),
    epoch: tuple.counter(2, "epoch"),
    above: tuple.counter(3, "above"),
    signature: tuple.signature(4, "signature"),
  };
}

function writeOperations(writer: Writer, request: OperationsRequest): void {
  writer.array(6).uint(REQUEST_TYPE_CODES.operations).hex32(request.client).hex32(request.session);
  writer.uint(request.number).array(request.operations.length);
  for (const operation of request.operations) writer.bytes(operation);
  writer.signature(request.signature);
}
function readOperations(tuple: Tuple): OperationsRequest {
  tuple.typed(REQUEST_TYPE_CODES.operations, 6);
  const { requestOperationsMax, requestBytesMax } = tuple.decoding.limits;
  return {
    type: "operations",
    client: tuple.hex32(1, "client"),
    session: tuple.hex32(2, "session"),
    number: tuple.counter(3, "number"),
    operations: readStrings(tuple.bounded(4, "operations", 1, requestOperationsMax), requestBytesMax),
    signature: tuple.signature(5, "signature"),
  };
}

function readStrings(list: Tuple, bytesMax: number): Uint8Array[] {
  const strings: Uint8Array[] = [];
  let sum = 0;
  for (let i = 0; i < list.length; i++) {
    const string = list.bytes(i, i);
    sum += string.length;
    strings.push(string);
  }
  if (sum > bytesMax) list.fault("too-many", "length", `at most ${bytesMax} bytes in all`, `${sum}`);
  return strings;
}

export function writeBatch(writer: Writer, batch: Batch): void {
  writer.array(2).uint(batch.timestampMs).array(batch.requests.length);
  for (const request of batch.requests) writeRequest(writer, request);
}

export function readBatch(tuple: Tuple): Batch {
  tuple.shape(2);
  const { batchRequestsMax, batchBytesMax, batchOperationsMax } = tuple.decoding.limits;
  const batch: Batch = {
    timestampMs: tuple.counter(0, "timestampMs"),
    requests: tuple.list(1, "requests", batchRequestsMax, readRequest),
  };
  if (batch.requests.length === 0 && batch.timestampMs !== 0)
    tuple.fault("inconsistent", "timestampMs", "0 in a batch without requests", `${batch.timestampMs}`);
  const operations = operationCount(batch.requests);
  if (operations > batchOperationsMax)
    tuple.fault("too-many", "requests", `at most ${batchOperationsMax} operations`, `${operations}`);
  const bytes = operationBytes(batch.requests);
  if (bytes > batchBytesMax)
    tuple.fault("too-many", "requests", `at most ${batchBytesMax} operation bytes`, `${bytes}`);
  const changes = reconfigurationCount(batch.requests);
  if (changes > BATCH_RECONFIGURATIONS_MAX)
    tuple.fault("too-many", "requests", `at most ${BATCH_RECONFIGURATIONS_MAX} reconfigurations`, `${changes}`);
  return batch;
}

function operationCount(requests: readonly Request[]): number {
  let count = 0;
  for (const request of requests) if (request.type === "operations") count += request.operations.length;
  return count;
}

function operationBytes(requests: readonly Request[]): number {
  let bytes = 0;
  for (const request of requests)
    if (request.type === "operations") for (const operation of request.operations) bytes += operation.length;
  return bytes;
}

function reconfigurationCount(requests: readonly Request[]): number {
  let count = 0;
  for (const { type } of requests) if (type === "reconfiguration") count++;
  return count;
}
