import type { ClientFrame, ReplicaFrame, ServerFrame, StateRead } from "@quorate/protocol";
import { describeReplicaFrame } from "@quorate/replica";

/** One line for a frame, for traces: its type, its place and the start of its digest. */
export function describeFrame(frame: ReplicaFrame | ClientFrame | ServerFrame): string {
  switch (frame.type) {
    case "reply":
      return `reply n${frame.reply.statement.seq} ${short(frame.reply.session)}#${frame.reply.number}`;
    case "refused":
      return `refused ${short(frame.requestDigest)} ${frame.code}`;
    case "welcome":
      return `welcome v${frame.view} e${frame.executed}`;
    case "read-state":
      return `read-state ${frame.read.query.type}`;
    case "state-read":
      return describeStateRead(frame.read);
    case "fetch-claim":
      return `fetch-claim e${frame.fetch.epoch} for r${frame.fetch.id}`;
    case "join-claim":
      return `join-claim r${frame.claim.change.member.id} at n${frame.claim.change.checkpoint.seq}`;
    case "no-claim":
      return `no-claim ${frame.reason}`;
    default:
      return describeReplicaFrame(frame);
  }
}

function describeStateRead(read: StateRead): string {
  if (read.type === "unavailable") return `state-read ${read.reason}`;
  return `state-read ${read.type} of n${read.certificate.seq}`;
}

/** The first digits of a digest: enough to tell two apart in one run. */
function short(digest: string): string {
  return digest.slice(0, 8);
}
