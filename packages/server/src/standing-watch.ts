import type { ViewNumber } from "@quorate/protocol";
import type { MuteStatus, Replica } from "@quorate/replica";
import type { HostObserver } from "./ports.ts";

type Watched = Pick<Replica, "view" | "target" | "mute" | "observer" | "leaveCause">;
type Told = Pick<HostObserver, "onViewChange" | "onMute" | "onDispensable">;

/** Tells an observer when a replica leaves or enters a view, or comes nearer to voting, or when nobody needs it. */
export class StandingWatch {
  readonly #observer: Told;
  /** As they were when it looked last. */
  #view: ViewNumber;
  #target: ViewNumber;
  #mute: MuteStatus | undefined;
  #isDispensable = false;

  /** @param replica before its first step. */
  constructor(observer: Told, replica: Watched) {
    this.#observer = observer;
    this.#view = replica.view;
    this.#target = replica.target;
    this.#mute = replica.mute;
  }

  /** To be called after each step that did something. */
  look({ view, target, mute, observer, leaveCause: cause }: Watched): void {
    if (mute !== this.#mute) this.#observer.onMute?.(mute);
    this.#mute = mute;
    const isDispensable = observer !== undefined && observer.members >= observer.membersNeeded;
    if (isDispensable && !this.#isDispensable) this.#observer.onDispensable?.();
    this.#isDispensable = isDispensable;
    if (target > this.#target) this.#observer.onViewChange?.({ type: "started", target, cause });
    if (view > this.#view) this.#observer.onViewChange?.({ type: "entered", view });
    this.#target = target;
    this.#view = view;
  }
}
