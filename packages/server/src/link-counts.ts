import type { LinkIdentity } from "@quorate/protocol";

/** How often something happened with links of one kind of peer, for one reason. */
export interface LinkCount {
  readonly role: LinkIdentity["role"];
  readonly code: string;
  readonly count: number;
}

/** `gone`: the client has no link any more; `not-taken`: its link is down, too much waits there, or the frame is too large. */
export type ClientFrameDrop = "gone" | "not-taken";

/** What links came to, since the process started. Bounded: codes are words of ours, never a peer's. */
export class LinkCounts {
  readonly #invalid = new Map<string, LinkCount>();
  readonly #ended = new Map<string, LinkCount>();
  readonly #clientFramesDropped: Record<ClientFrameDrop, number> = { gone: 0, "not-taken": 0 };

  /** Frames that closed the link they came by: a `DecodeErrorCode`, or `not-correct` for what decodes and no correct sender sends. */
  get invalidFrames(): readonly LinkCount[] {
    return [...this.#invalid.values()];
  }
  /** Links that ended and dials that came to nothing, by `TransportErrorCode`. */
  get ended(): readonly LinkCount[] {
    return [...this.#ended.values()];
  }
  /** Frames for clients that were not sent. */
  get clientFramesDropped(): Readonly<Record<ClientFrameDrop, number>> {
    return this.#clientFramesDropped;
  }

  onInvalid(role: LinkCount["role"], code: string): void {
    count(this.#invalid, role, code);
  }
  onEnded(role: LinkCount["role"], code: string): void {
    count(this.#ended, role, code);
  }
  onClientFrameDropped(why: ClientFrameDrop): void {
    this.#clientFramesDropped[why] += 1;
  }
}

function count(counts: Map<string, LinkCount>, role: LinkCount["role"], code: string): void {
  const key = `${role} ${code}`;
  counts.set(key, { role, code, count: (counts.get(key)?.count ?? 0) + 1 });
}
