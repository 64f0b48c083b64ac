import type { ClientFrame, Fill, PublicKey, ReplicaFrame, ReplicaId } from "@quorate/protocol";
import { ClientQueues } from "./client-queues.ts";
import { bytesOfFrame, bytesOfRequest } from "./frame-bytes.ts";

/** Frames of one peer that are kept, the newest: what it sends in the moments between two epochs. */
const FRAMES_PER_PEER_MAX = 256;
/** What they hold of memory, of each peer: frames may be long. One that is longer by itself is not kept. */
export const FRAME_BYTES_PER_PEER_MAX: number = 16 * 1024 * 1024;
/** Requests of clients that are kept, in bytes, and of one client: the rest is sent again anyway. */
export const REQUEST_BYTES_MAX: number = 64 * 1024 * 1024;
export const REQUEST_BYTES_PER_CLIENT_MAX: number = 8 * 1024 * 1024;
/** What a request costs beside its bytes: so there are 4,096 of them at most. */
export const REQUEST_COST_BYTES: number = 16 * 1024;

/** Whom what was kept is given to. */
export interface EpochInputs {
  onReplicaFrame(peer: ReplicaId, frame: ReplicaFrame): void;
  onClientFrame(client: PublicKey, frame: ClientFrame): void;
}

/** Of one peer, the oldest first. */
interface KeptFrames {
  readonly frames: ReplicaFrame[];
  bytes: number;
}

/**
 * What comes too early, from those who are in the next epoch already or while this replica goes from one to the next: else the
 * first proposals of an epoch would be lost to whoever comes last, and asked for again only with the next status.
 */
export class EpochBacklog {
  #frames = new Map<ReplicaId, KeptFrames>();
  #requests = newRequests();

  get fill(): Fill {
    const size = Math.max(0, ...[...this.#frames.values()].map(({ frames }) => frames.length));
    return { of: "frames of the next epoch from one peer", size, max: FRAMES_PER_PEER_MAX };
  }

  keepFrame(peer: ReplicaId, frame: ReplicaFrame): void {
    const kept = this.#frames.get(peer) ?? { frames: [], bytes: 0 };
    this.#frames.set(peer, kept);
    kept.frames.push(frame);
    kept.bytes += bytesOfFrame(frame);
    while (kept.frames.length > FRAMES_PER_PEER_MAX || kept.bytes > FRAME_BYTES_PER_PEER_MAX) {
      const oldest = kept.frames.shift();
      if (oldest === undefined) break;
      kept.bytes -= bytesOfFrame(oldest);
    }
  }

  keepRequest(client: PublicKey, frame: ClientFrame): void {
    const bytes = frame.type === "request" ? bytesOfRequest(frame.request) : 0;
    this.#requests.add(client, frame, REQUEST_COST_BYTES + bytes);
  }

  /** Gives away all that was kept, of each peer and each client in the order in which it came. */
  release(inputs: EpochInputs): void {
    const [frames, requests] = [this.#frames, this.#requests];
    this.#frames = new Map();
    this.#requests = newRequests();
    for (const [peer, ofPeer] of frames) for (const frame of ofPeer.frames) inputs.onReplicaFrame(peer, frame);
    for (let kept = requests.next(); kept !== undefined; kept = requests.next())
      inputs.onClientFrame(kept.client, kept.item);
  }
}

function newRequests(): ClientQueues<ClientFrame> {
  return new ClientQueues({ ofEachMax: REQUEST_BYTES_PER_CLIENT_MAX, inAllMax: REQUEST_BYTES_MAX });
}
