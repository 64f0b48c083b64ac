import { assertNever, type DigestedRequest } from "@quorate/protocol";
import type { ReplicaEvent } from "@quorate/replica";

/** An event with its envelope, ids and digests, as objects. */
const EVENT_BYTES = 512;
/** A request without its operations. */
const REQUEST_BYTES = 512;
const OPERATION_BYTES = 96;
/** A signature of a certificate, with its object. */
const SIGNATURE_BYTES = 192;

/** About how much memory an event holds on to. Cheap: it never looks inside an operation. */
export function bytesOfEvent(event: ReplicaEvent): number {
  switch (event.type) {
    case "start":
    case "timeout":
    case "hand-over-asked":
    case "executed":
    case "state-durable":
    case "query-stable":
      return EVENT_BYTES;
    case "message":
      return event.batch === undefined ? EVENT_BYTES : EVENT_BYTES + bytesOfRequests(event.batch.requests);
    case "request":
      return EVENT_BYTES + bytesOfRequest(event.request);
    case "batch-body":
      return EVENT_BYTES + bytesOfRequests(event.batch.requests);
    case "committed": {
      const { batch, certificate } = event.entry;
      return EVENT_BYTES + bytesOfRequests(batch.requests) + SIGNATURE_BYTES * certificate.signatures.length;
    }
    case "certificate":
      return EVENT_BYTES + SIGNATURE_BYTES * event.certificate.signatures.length;
    case "reply-stable":
      return EVENT_BYTES + SIGNATURE_BYTES * event.reply.checkpoint.signatures.length;
    case "view-change":
      return EVENT_BYTES + bytesOfCertificates(event.viewChange.viewChange.certificates);
    case "new-view": {
      const { certificates, viewChanges, prePrepareSignatures } = event.newView.newView;
      const messages = EVENT_BYTES * (1 + viewChanges.length + prePrepareSignatures.length);
      const claims = viewChanges.reduce((sum, { message }) => sum + message.prepared.length, 0);
      return messages + SIGNATURE_BYTES * claims + bytesOfCertificates(certificates);
    }
    default:
      return assertNever(event);
  }
}

function bytesOfRequests(requests: readonly DigestedRequest[]): number {
  let bytes = 0;
  for (const request of requests) bytes += bytesOfRequest(request);
  return bytes;
}

function bytesOfRequest({ request }: DigestedRequest): number {
  if (request.type !== "operations") return REQUEST_BYTES;
  let bytes = REQUEST_BYTES;
  for (const operation of request.operations) bytes += OPERATION_BYTES + operation.length;
  return bytes;
}

function bytesOfCertificates(certificates: readonly { readonly prepares: readonly unknown[] }[]): number {
  return certificates.reduce((sum, { prepares }) => sum + EVENT_BYTES + SIGNATURE_BYTES * prepares.length, 0);
}
