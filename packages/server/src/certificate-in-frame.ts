import type { CheckpointCertificate, CommitCertificate, ReplicaFrame } from "@quorate/protocol";

/** The certificate that a frame rests on; undefined where there is none, and for what an epoch begins with, which nobody signs in it. */
export function certificateIn(frame: ReplicaFrame): CheckpointCertificate | CommitCertificate | undefined {
  const certificate = stated(frame);
  return certificate?.signatures.length === 0 ? undefined : certificate;
}

function stated(frame: ReplicaFrame): CheckpointCertificate | CommitCertificate | undefined {
  switch (frame.type) {
    case "committed":
      return frame.entry.certificate;
    case "stable-checkpoint":
    case "below-history":
      return frame.checkpoint;
    case "view-change":
      return frame.viewChange.checkpoint;
    case "new-view":
      return frame.newView.checkpoint;
    case "reply-stable":
      return frame.reply.checkpoint;
    default:
      return undefined;
  }
}
