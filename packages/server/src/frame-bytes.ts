import {
  assertNever,
  type Batch,
  contentBytes,
  type EpochLink,
  type ReplicaFrame,
  type Request,
} from "@quorate/protocol";

/** A frame with its envelope, ids and digests, as objects. */
const FRAME_BYTES = 512;
/** A request without its operations. */
const REQUEST_BYTES = 512;
const OPERATION_BYTES = 96;
/** A signature of a certificate, or a claim, with its object. */
const SIGNATURE_BYTES = 192;

/** About how much memory a decoded frame holds on to. Cheap: it never looks inside an operation. */
export function bytesOfFrame(frame: ReplicaFrame): number {
  switch (frame.type) {
    case "pre-prepare":
    case "batch-body":
      return FRAME_BYTES + bytesOfBatch(frame.batch);
    case "signed":
    case "query-stable":
    case "fetch-epochs":
    case "fetch-history":
    case "state-unavailable":
      return FRAME_BYTES;
    case "request":
      return FRAME_BYTES + bytesOfRequest(frame.request);
    case "committed": {
      const { batch, certificate } = frame.entry;
      return FRAME_BYTES + bytesOfBatch(batch) + bytesOfSignatures(certificate.signatures);
    }
    case "stable-checkpoint":
    case "below-history":
      return FRAME_BYTES + bytesOfSignatures(frame.checkpoint.signatures);
    case "reply-stable":
      return FRAME_BYTES + bytesOfSignatures(frame.reply.checkpoint.signatures);
    case "view-change":
      return FRAME_BYTES + bytesOfCertificates(frame.viewChange.certificates);
    case "new-view": {
      const { certificates, viewChanges, prePrepareSignatures } = frame.newView;
      const claims = viewChanges.reduce((sum, { message }) => sum + message.prepared.length, 0);
      const messages = FRAME_BYTES * (1 + viewChanges.length) + SIGNATURE_BYTES * prePrepareSignatures.length;
      return messages + SIGNATURE_BYTES * claims + bytesOfCertificates(certificates);
    }
    case "fetch-state":
      return FRAME_BYTES + SIGNATURE_BYTES * frame.fetch.items.length;
    case "state-chunk":
      return FRAME_BYTES + contentBytes(frame.chunk.items) + SIGNATURE_BYTES * frame.chunk.items.length;
    case "deflated-chunk":
      return FRAME_BYTES + frame.chunk.deflated.length;
    case "epoch-links":
      return FRAME_BYTES + frame.links.reduce((sum, link) => sum + bytesOfLink(link), 0);
    default:
      return assertNever(frame);
  }
}

/** As above, of a request. */
export function bytesOfRequest(request: Request): number {
  if (request.type !== "operations") return REQUEST_BYTES;
  return request.operations.reduce((sum, operation) => sum + OPERATION_BYTES + operation.length, REQUEST_BYTES);
}

function bytesOfBatch({ requests }: Batch): number {
  return requests.reduce((sum, request) => sum + bytesOfRequest(request), 0);
}

function bytesOfSignatures(signatures: readonly unknown[]): number {
  return SIGNATURE_BYTES * signatures.length;
}

function bytesOfCertificates(certificates: readonly { readonly prepares: readonly unknown[] }[]): number {
  return certificates.reduce((sum, { prepares }) => sum + FRAME_BYTES + bytesOfSignatures(prepares), 0);
}

function bytesOfLink({ certificate, record, proof }: EpochLink): number {
  const excerpts = proof.excerpts.reduce((sum, { head, group }) => sum + head.length + group.length, 0);
  return FRAME_BYTES + bytesOfSignatures(certificate.signatures) + record.length + excerpts;
}
