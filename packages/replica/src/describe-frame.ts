import { assertNever, type ReplicaFrame, type ReplicaMessage, type Request } from "@quorate/protocol";

/** A few words for a frame between replicas, for traces: its type, its place and the start of its digest. */
export function describeReplicaFrame(frame: ReplicaFrame): string {
  switch (frame.type) {
    case "pre-prepare":
    case "signed":
      return describeMessage(frame.envelope.message);
    case "request":
      return `request ${describeRequest(frame.request)}`;
    case "batch-body":
      return `batch-body t${frame.batch.timestampMs} of ${frame.batch.requests.length}`;
    case "committed":
      return `committed n${frame.entry.certificate.seq} ${short(frame.entry.certificate.digest)}`;
    case "stable-checkpoint":
    case "below-history":
      return `${frame.type} n${frame.checkpoint.seq} ${short(frame.checkpoint.stateRoot)}`;
    case "view-change":
      return describeMessage(frame.viewChange.envelope.message);
    case "new-view":
      return describeMessage(frame.newView.envelope.message);
    case "query-stable":
      return describeMessage(frame.envelope.message);
    case "reply-stable":
      return describeMessage(frame.reply.envelope.message);
    case "fetch-state":
      return `fetch-state n${frame.fetch.seq} #${frame.fetch.request} of ${frame.fetch.items.length}`;
    case "deflated-chunk":
      return `deflated-chunk n${frame.chunk.seq} #${frame.chunk.request} of ${frame.chunk.length} bytes`;
    case "state-chunk":
      return `state-chunk n${frame.chunk.seq} #${frame.chunk.request} of ${frame.chunk.items.length}`;
    case "state-unavailable":
      return `state-unavailable n${frame.unavailable.seq} h${frame.unavailable.stable}`;
    case "fetch-epochs":
      return `fetch-epochs above e${frame.fetch.above}`;
    case "epoch-links":
      return `epoch-links of ${frame.links.length}`;
    case "fetch-history":
      return `fetch-history e${frame.fetch.epoch} n${frame.fetch.first} to n${frame.fetch.last}`;
    default:
      return assertNever(frame);
  }
}

function describeRequest(request: Request): string {
  switch (request.type) {
    case "operations":
      return `${short(request.session)}#${request.number}`;
    case "registration":
      return `registration ${short(request.nonce)}`;
    case "checkpoint":
      return `checkpoint above n${request.above} by ${short(request.client)}`;
    case "reconfiguration":
      return `reconfiguration ${request.change.type} ${short(request.nonce)}`;
    default:
      return assertNever(request);
  }
}

/** As `describeReplicaFrame`, for a message alone. */
export function describeMessage(message: ReplicaMessage): string {
  switch (message.type) {
    case "pre-prepare":
    case "prepare":
    case "commit":
      return `${message.type} v${message.view} n${message.seq} ${short(message.digest)}`;
    case "checkpoint":
      return `checkpoint n${message.seq} ${short(message.stateRoot)}`;
    case "status":
      return (
        `status v${message.view}→${message.target} e${message.executed} h${message.stable} a${message.accepted} ` +
        `lacks ${message.lacks.length}`
      );
    case "fetch-batch":
      return `fetch-batch n${message.seq} ${short(message.digest)}`;
    case "fetch-committed":
      return `fetch-committed n${message.first}-${message.last}`;
    case "view-change":
      return `view-change v${message.view} h${message.stable.seq} claims ${message.prepared.length}`;
    case "new-view":
      return `new-view v${message.view} n${message.start}+${message.digests.length}`;
    case "hand-over":
      return `hand-over v${message.view}`;
    case "query-stable":
      return `query-stable ${short(message.nonce)} n${message.until} v${message.view}`;
    case "reply-stable":
      return `reply-stable ${short(message.nonce)} n${message.stable.seq} v${message.view}`;
    default:
      return assertNever(message);
  }
}

/** The first digits of a digest: enough to tell two apart in one run. */
export function short(digest: string): string {
  return digest.slice(0, 8);
}
