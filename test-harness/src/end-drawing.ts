import type { Moment, Span, SpanKind } from "./space-time.ts";
import type { World } from "./world.ts";

/** What happens at one end of a run, for the picture of it; nothing when none is wanted. */
export class EndDrawing {
  readonly #world: World;
  readonly #end: string;
  #view = 0;

  constructor(world: World, end: string) {
    this.#world = world;
    this.#end = end;
  }

  happened(kind: Moment["kind"], label: string): void {
    const { spaceTime, clock } = this.#world;
    spaceTime?.happened({ end: this.#end, atMs: clock.nowMs, kind, label });
  }

  began(kind: SpanKind, label: string): Span | undefined {
    return this.#world.spaceTime?.began(this.#end, kind, label, this.#world.clock.nowMs);
  }

  ended(...kinds: readonly SpanKind[]): void {
    for (const kind of kinds) this.#world.spaceTime?.ended(kind, this.#world.clock.nowMs, this.#end);
  }

  /** It is in this view; only the first time in a higher one than before is drawn. */
  isIn(view: number): void {
    if (view <= this.#view) return;
    this.#view = view;
    this.happened("view", `view ${view}`);
  }
}
