import { invariant, type LinkIdentity } from "@quorate/protocol";
import type { FrameSocket, FrameSocketHandlers } from "./frame-socket.ts";
import { describeIdentity } from "./identity.ts";
import { CONTROL_FRAMES_MAX, type LinkLimits, type LinkTimings, type Timers } from "./limits.ts";
import type { FramedLink, LinkHandlers, LinkSnapshot } from "./link.ts";
import type { QueuedOutput, QueueingLink } from "./queued-output.ts";
import { closeCodeOf, closeReason, TransportError } from "./transport-error.ts";

/** What an authenticated link is made of. */
export interface AuthenticatedLinkOptions {
  readonly socket: FrameSocket;
  readonly peer: LinkIdentity;
  readonly limits: LinkLimits;
  readonly timings: LinkTimings;
  readonly timers: Timers;
  /** Whether empty frames are answered: a listener's end does, so that two ends never bounce one for ever. */
  readonly echoesProbes: boolean;
}

/** With more than this in the queue neither probes nor answers to probes are added to it. */
const PROBE_QUEUE_BYTES_MAX = 64 * 1024;
const EMPTY = new Uint8Array(0);

/** The link after the handshake: bounded sending, heartbeat, counters. */
export class AuthenticatedLink implements FramedLink, FrameSocketHandlers, QueueingLink {
  readonly peer: LinkIdentity;
  readonly #options: AuthenticatedLinkOptions;
  readonly #socket: FrameSocket;
  #handlers: LinkHandlers | undefined;
  #output: QueuedOutput | undefined;
  #downReason: TransportError | undefined;
  #heartbeat: unknown;
  #heardBytes = 0;
  #missedHeartbeats = 0;
  #controlFrames = 0;
  #framesIn = 0;
  #bytesIn = 0;
  #framesOut = 0;
  #bytesOut = 0;
  #droppedQueueFull = 0;
  #droppedTooLarge = 0;
  #droppedDown = 0;

  constructor(options: AuthenticatedLinkOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#socket = options.socket;
    this.#heardBytes = options.socket.receivedBytes;
    this.#socket.expectFrames(options.limits.frameBytesMax);
    this.#socket.attach(this);
    this.#armHeartbeat();
  }

  /** Gives the link its owner, in the turn in which it was made: no frame can come before. */
  start(handlers: LinkHandlers): void {
    invariant(this.#handlers === undefined, "link.started-twice");
    this.#handlers = handlers;
    if (this.#downReason !== undefined) handlers.onDown(this.#downReason);
  }

  /** What is queued here counts among what waits for all clients, from before the first frame until the link is down. */
  shareOutput(output: QueuedOutput): void {
    this.#output = output;
    output.add(this);
  }

  get queuedBytes(): number {
    return this.#isDown ? 0 : this.#socket.queuedBytes;
  }
  get #isDown(): boolean {
    return this.#downReason !== undefined;
  }

  send(frame: Uint8Array): boolean {
    const { frameBytesMax, queuedBytesMax, whenQueueFull } = this.#options.limits;
    invariant(frame.length > 0, "link.empty-frame");
    if (this.#isDown) return this.#dropDown();
    if (frame.length > frameBytesMax) {
      this.#droppedTooLarge++;
      return false;
    }
    if (this.#socket.queuedBytes + frame.length > queuedBytesMax) {
      this.#droppedQueueFull++;
      if (whenQueueFull === "close")
        this.#end("link.slow-receiver", `${describeIdentity(this.peer)} does not read: ${queuedBytesMax} bytes wait`);
      return false;
    }
    this.#output?.makeRoomFor(frame.length);
    if (this.#isDown) return this.#dropDown();
    this.#framesOut++;
    this.#bytesOut += frame.length;
    this.#socket.send(frame);
    return true;
  }

  close(reason: string): void {
    this.#end("link.closed", reason);
  }

  /** Ends the link because its owner has a newer one of the same identity. */
  replace(): void {
    this.#end("link.replaced", `a newer link of ${describeIdentity(this.peer)} took its place`);
  }

  cut(): void {
    const waiting = `${this.queuedBytes} bytes wait for it`;
    this.#end(
      "link.slow-receiver",
      `${describeIdentity(this.peer)} does not read: ${waiting}, the most of all ${this.peer.role}s`,
    );
  }

  snapshot(): LinkSnapshot {
    return {
      peer: this.peer,
      framesIn: this.#framesIn,
      bytesIn: this.#bytesIn,
      framesOut: this.#framesOut,
      bytesOut: this.#bytesOut,
      queuedBytes: this.queuedBytes,
      dropped: { queueFull: this.#droppedQueueFull, tooLarge: this.#droppedTooLarge, down: this.#droppedDown },
    };
  }

  onOpen(): void {
    invariant(false, "link.opened-twice");
  }

  onFrame(frame: Uint8Array): void {
    if (this.#isDown) return;
    if (frame.length === 0) {
      this.onControl();
      if (this.#options.echoesProbes && !this.#isDown && this.#isPromptlyRead) this.#socket.send(EMPTY);
      return;
    }
    this.#framesIn++;
    this.#bytesIn += frame.length;
    this.#handlers?.onFrame(frame);
  }

  onControl(): void {
    if (++this.#controlFrames > CONTROL_FRAMES_MAX)
      this.#end("link.control-flood", `more than ${CONTROL_FRAMES_MAX} pings, pongs or empty frames in one interval`);
  }

  onEnd(error: TransportError): void {
    this.#down(error);
  }

  /** A probe behind a long queue would not arrive in time, and for a peer that never reads they would pile up. */
  get #isPromptlyRead(): boolean {
    return this.#socket.queuedBytes < PROBE_QUEUE_BYTES_MAX;
  }

  #armHeartbeat(): void {
    this.#heartbeat = this.#options.timers.setTimeout(() => this.#onHeartbeat(), this.#options.timings.heartbeatMs);
  }

  /** Counts intervals, not time: a process that was paused itself hears its peers before it gives them up. */
  #onHeartbeat(): void {
    const { heartbeatMs, missedHeartbeatsMax } = this.#options.timings;
    this.#controlFrames = 0;
    const heardBytes = this.#socket.receivedBytes;
    this.#missedHeartbeats = heardBytes === this.#heardBytes ? this.#missedHeartbeats + 1 : 0;
    this.#heardBytes = heardBytes;
    if (this.#missedHeartbeats >= missedHeartbeatsMax)
      return this.#end(
        "link.heartbeat",
        `nothing heard of ${describeIdentity(this.peer)} in ${missedHeartbeatsMax} intervals of ${heartbeatMs} ms`,
      );
    if (this.#isPromptlyRead) this.#socket.probe();
    this.#armHeartbeat();
  }

  #end(code: TransportError["code"], message: string): void {
    if (this.#isDown) return;
    const error = new TransportError(code, message);
    this.#socket.close(closeCodeOf(code), closeReason(message));
    this.#down(error);
  }

  #dropDown(): false {
    this.#droppedDown++;
    return false;
  }

  #down(error: TransportError): void {
    if (this.#isDown) return;
    this.#downReason = error;
    this.#options.timers.clearTimeout(this.#heartbeat);
    this.#handlers?.onDown(error);
  }
}
