import type { ClientFrame, Fill, PublicKey, ReplicaFrame, ReplicaId } from "@quorate/protocol";

/** Frames of one peer that are kept, the newest: what it sends in the moments between two epochs. */
const FRAMES_PER_PEER_MAX = 256;
/** Requests of clients that are kept; they are sent again anyway. */
const REQUESTS_MAX = 4_096;

/** Whom what was kept is given to. */
export interface EpochInputs {
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): void;
  onClientFrame(client: PublicKey, frame: ClientFrame): void;
}

/**
 * What comes too early, from those who are in the next epoch already or while this replica goes from one to the next: else the
 * first proposals of an epoch would be lost to whoever comes last, and asked for again only with the next status.
 */
export class EpochBacklog {
  #frames = new Map<ReplicaId, ReplicaFrame[]>();
  #requests: { readonly client: PublicKey; readonly frame: ClientFrame }[] = [];

  get fill(): Fill {
    const size = Math.max(0, ...[...this.#frames.values()].map((frames) => frames.length));
    return { of: "frames of the next epoch from one peer", size, max: FRAMES_PER_PEER_MAX };
  }

  keepFrame(peer: ReplicaId, frame: ReplicaFrame): void {
    const frames = this.#frames.get(peer) ?? [];
    this.#frames.set(peer, frames);
    frames.push(frame);
    if (frames.length > FRAMES_PER_PEER_MAX) frames.shift();
  }

  keepRequest(client: PublicKey, frame: ClientFrame): void {
    if (this.#requests.length < REQUESTS_MAX) this.#requests.push({ client, frame });
  }

  /** Gives away all that was kept, in the order in which it came. */
  release(inputs: EpochInputs): void {
    const [frames, requests] = [this.#frames, this.#requests];
    this.#frames = new Map();
    this.#requests = [];
    for (const [peer, ofPeer] of frames) for (const frame of ofPeer) inputs.onReplicaFrame(peer, frame);
    for (const { client, frame } of requests) inputs.onClientFrame(client, frame);
  }
}
