/** Requests and batches on the wire. */
import type { Batch, OperationsRequest, RegistrationRequest, Request } from "@quorate/protocol";
import type { Reader } from "./reader.ts";
import type { Writer } from "./writer.ts";

/** The type numbers of requests; append only. */
export const REQUEST_TYPE_CODES: Readonly<Record<Request["type"], number>> = { operations: 1, registration: 2 };

export function writeRequest(writer: Writer, request: Request): void {
  if (request.type === "registration") writeRegistration(writer, request);
  else writeOperations(writer, request);
}

export function readRequest(reader: Reader, field: string | number): Request {
  const type = reader.enterTyped(field);
  const request = type === REQUEST_TYPE_CODES.registration ? readRegistration(reader) : readOperations(reader, type);
  reader.leave();
  return request;
}

function writeRegistration(writer: Writer, request: RegistrationRequest): void {
  writer.array(5).uint(REQUEST_TYPE_CODES.registration).hex32(request.client).hex32(request.nonce);
  writer.uint(request.lastValid).signature(request.signature);
}
function readRegistration(reader: Reader): RegistrationRequest {
  reader.shape(5);
  return {
    type: "registration",
    client: reader.hex32("client"),
    nonce: reader.hex32("nonce"),
    lastValid: reader.counter("lastValid"),
    signature: reader.signature("signature"),
  };
}

function writeOperations(writer: Writer, request: OperationsRequest): void {
  writer.array(6).uint(REQUEST_TYPE_CODES.operations).hex32(request.client).hex32(request.session);
  writer.uint(request.number).array(request.operations.length);
  for (const operation of request.operations) writer.bytes(operation);
  writer.signature(request.signature);
}
function readOperations(reader: Reader, type: number): OperationsRequest {
  if (type !== REQUEST_TYPE_CODES.operations)
    reader.fault("unknown-type", "type", "the number of a type of requests", `${type}`);
  reader.shape(6);
  return {
    type: "operations",
    client: reader.hex32("client"),
    session: reader.hex32("session"),
    number: reader.counter("number"),
    operations: readOperationList(reader),
    signature: reader.signature("signature"),
  };
}

function readOperationList(reader: Reader): Uint8Array[] {
  const { requestOperationsMax, requestBytesMax } = reader.limits;
  const operations = reader.list("operations", 1, requestOperationsMax, readBytes);
  const sum = lengthOf(operations);
  if (sum > requestBytesMax)
    reader.fault("too-many", "operations.length", `at most ${requestBytesMax} bytes in all`, `${sum}`);
  return operations;
}
function readBytes(reader: Reader, index: number): Uint8Array {
  return reader.bytes(index);
}

export function writeBatch(writer: Writer, batch: Batch): void {
  writer.array(2).uint(batch.timestampMs).array(batch.requests.length);
  for (const request of batch.requests) writeRequest(writer, request);
}

export function readBatch(reader: Reader, field: string): Batch {
  reader.enter(field, 2);
  const { batchRequestsMax, batchBytesMax, batchOperationsMax } = reader.limits;
  const batch: Batch = {
    timestampMs: reader.counter("timestampMs"),
    requests: reader.list("requests", 0, batchRequestsMax, readRequest),
  };
  if (batch.requests.length === 0 && batch.timestampMs !== 0)
    reader.fault("inconsistent", "timestampMs", "0 in a batch without requests", `${batch.timestampMs}`);
  const operations = operationCount(batch.requests);
  if (operations > batchOperationsMax)
    reader.fault("too-many", "requests", `at most ${batchOperationsMax} operations`, `${operations}`);
  const bytes = operationBytes(batch.requests);
  if (bytes > batchBytesMax)
    reader.fault("too-many", "requests", `at most ${batchBytesMax} operation bytes`, `${bytes}`);
  reader.leave();
  return batch;
}

function operationCount(requests: readonly Request[]): number {
  let count = 0;
  for (const request of requests) if (request.type === "operations") count += request.operations.length;
  return count;
}

function operationBytes(requests: readonly Request[]): number {
  let bytes = 0;
  for (const request of requests) if (request.type === "operations") bytes += lengthOf(request.operations);
  return bytes;
}

function lengthOf(strings: readonly Uint8Array[]): number {
  let length = 0;
  for (const string of strings) length += string.length;
  return length;
}
