/** How often something happened with links of one kind of peer, for one reason. */
export interface LinkCount {
  readonly role: "replica" | "client";
  readonly code: string;
  readonly count: number;
}

/** What links came to, since the process started. Bounded: codes are words of ours, never a peer's. */
export class LinkCounts {
  readonly #invalid = new Map<string, LinkCount>();
  readonly #ended = new Map<string, LinkCount>();
  #clientFramesDropped = 0;

  /** Frames that closed the link they came by: a `DecodeErrorCode`, or `not-correct` for what decodes and no correct sender sends. */
  get invalidFrames(): readonly LinkCount[] {
    return [...this.#invalid.values()];
  }
  /** Links that ended and dials that came to nothing, by `TransportErrorCode`. */
  get ended(): readonly LinkCount[] {
    return [...this.#ended.values()];
  }
  /** Frames that a client's link did not take: too large, too much waits, or it is down. */
  get clientFramesDropped(): number {
    return this.#clientFramesDropped;
  }

  onInvalid(role: LinkCount["role"], code: string): void {
    count(this.#invalid, role, code);
  }
  onEnded(role: LinkCount["role"], code: string): void {
    count(this.#ended, role, code);
  }
  onClientFrameDropped(): void {
    this.#clientFramesDropped += 1;
  }
}

function count(counts: Map<string, LinkCount>, role: LinkCount["role"], code: string): void {
  const key = `${role} ${code}`;
  counts.set(key, { role, code, count: (counts.get(key)?.count ?? 0) + 1 });
}
