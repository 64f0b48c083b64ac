import { digest, type Membership, type ReplicaFrame, type ReplicaId } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { ExecutedBatch, HostObserver, IngressRejection, ReplicaRunner, ViewTurn } from "@quorate/server/host";
import type { ServiceMembership } from "@quorate/state-machine";
import type { FetchProgress } from "@quorate/state-transfer";
import type { Checker } from "./checkers/checker.ts";
import type { EndDrawing } from "./end-drawing.ts";
import { EpochMarks } from "./epoch-marks.ts";
import type { Plant } from "./plant.ts";
import type { ExecutedOperation } from "./recording-service.ts";
import { ViewMarks } from "./view-marks.ts";
import type { World } from "./world.ts";

/** How full everything is, is looked at after so many events. */
const FILLS_EVERY = 16;

/** Whom a `ReplicaObserver` looks at. */
export interface ObservedReplica {
  readonly id: ReplicaId;
  /** Its name in the trace. */
  readonly end: string;
  readonly isCorrect: boolean;
  readonly drawing: EndDrawing;
  /** Planted bugs, for tests of the checkers. */
  readonly plant: Plant;
  /** Undefined while it is down. */
  readonly host: () => ReplicaRunner | undefined;
  /** @returns whether a key of it is gone by that. */
  readonly onEpoch: (membership: Membership) => boolean;
  /** Its own code or its disk has ended it. */
  readonly onFatal: (error: Error) => void;
}

/** What is seen of one simulated replica: noted in the trace, counted, drawn, and told to the checkers if it is correct. */
export class ReplicaObserver {
  readonly #world: World;
  readonly #replica: ObservedReplica;
  readonly #viewMarks: ViewMarks;
  readonly #epochMarks: EpochMarks;
  /** Since the last batch. */
  #isRepairing = false;
  /** An installation has begun, and its end has not been told: a crash may have come between the last write and the word. */
  #isInstalling = false;
  /** It votes while its state is brought to it. */
  #isVoting = false;
  #operations: ExecutedOperation[] = [];
  /** Its state is wrong, and it may not have noticed: what it does until it is repaired is nobody's measure. */
  #isDiverging = false;
  /** How far it said that it may have spoken wrongly, when it was quarantined last. */
  #quarantinedUpTo: number | undefined;
  /** Events so far. */
  #steps = 0;

  constructor(world: World, replica: ObservedReplica) {
    this.#world = world;
    this.#replica = replica;
    this.#viewMarks = new ViewMarks(world);
    this.#epochMarks = new EpochMarks(world);
  }

  /** It starts: what an earlier life executed and did not tell is nobody's. */
  restart(): void {
    this.#operations = [];
    this.#isVoting = false;
  }

  onOperation(executed: ExecutedOperation): void {
    this.#operations.push(executed);
  }

  onMembership(told: ServiceMembership): void {
    const operationsBefore = this.#operations.length;
    this.tell((checker) => checker.onMembership?.(this.#replica.id, { ...told, operationsBefore }));
  }

  /** It is there, or there again. */
  onUp(host: ReplicaRunner): void {
    const { id, end, drawing } = this.#replica;
    const { status: standing, isInstalling, stateExecuted, stateDigests, audited } = host;
    this.tell((checker) => checker.onEpochs?.(id, host.epochs));
    // A crash came between the end of its repair and the word of it. One that has forgotten its quarantine has forgotten the repair, too.
    const remembers = this.#quarantinedUpTo !== undefined && (audited?.silentUpTo ?? 0) >= this.#quarantinedUpTo;
    if (this.#isInstalling && this.#isRepairing && !isInstalling && remembers) this.#onRepaired();
    if (stateExecuted === undefined) {
      this.#world.note(`${end} up, and goes on installing`);
      this.#world.marks.add("state transfer: went on after a crash");
      drawing.happened("up", "up");
      drawing.ended("down");
      return;
    }
    if (isInstalling) {
      this.#world.note(`${end} up, and goes on executing from n${stateExecuted}`);
      this.#world.marks.add("state transfer: caught up after a crash");
      drawing.happened("up", "up");
      drawing.ended("down");
      if (this.#isInstalling) this.#tellTransferred({ ...standing, executed: stateExecuted }, stateDigests);
      else this.tell((checker) => checker.onCatchingUp?.(id, stateExecuted));
      this.#isInstalling = false;
      return;
    }
    const status = standing;
    this.#world.note(`${end} up at e${status.executed} h${status.lowWatermark}`);
    this.#viewMarks.onRecovered(status);
    if (this.#isInstalling && status.executed > 0) this.#tellTransferred(status, stateDigests);
    this.#isInstalling = false;
    this.tell((checker) => checker.onRecovered?.(id, status));
    if (status.executed > 0) this.#world.marks.add("replica: recovered with state");
    drawing.happened("up", "up");
    drawing.ended("down");
    if (status.mute !== undefined) drawing.began("mute", "mute: does not vote");
  }

  onSent(frame: ReplicaFrame, receivers: number): void {
    const { id, isCorrect } = this.#replica;
    this.tellSaid((checker) => checker.onSent?.(id, frame, receivers));
    if (isCorrect) this.#viewMarks.onSent(frame);
  }

  onArrival(host: ReplicaRunner, frame: ReplicaFrame): void {
    const { marks } = this.#world;
    if (this.#replica.isCorrect) this.#epochMarks.onArrival(host, frame);
    if (frame.type === "batch-body") marks.add("batch body arrived");
    this.#viewMarks.onArrival(frame, host.status.lowWatermark);
    if (frame.type !== "pre-prepare" && frame.type !== "signed") return;
    const { message } = frame.envelope;
    if ("digest" in message && message.seq > host.status.highWatermark) marks.add("backlog: message above the window");
  }

  /** It has taken a frame in; before, it knew of epochs up to this one. */
  afterFrame(host: ReplicaRunner, epochBefore: number): void {
    if (this.#replica.isCorrect) this.#epochMarks.onFrame(host, epochBefore);
  }

  onCrash(): void {
    if (this.#replica.isCorrect) this.#epochMarks.onCrash(this.#replica.host());
  }

  /** Tells what it does from what flushes did before. */
  beforeTimer(): void {
    const host = this.#replica.host();
    if (host?.isInstalling === false && this.#replica.isCorrect) this.#viewMarks.beforeTimer(host.status);
  }

  /** Something happened to it: how does it stand? */
  check(cause: string): void {
    const { id, end, isCorrect, drawing } = this.#replica;
    const host = this.#replica.host();
    if (host === undefined || host.isInstalling) return;
    const { status } = host;
    drawing.isIn(status.view);
    if (!isCorrect) return;
    this.#epochMarks.afterStep(host, status, cause);
    if (this.#steps++ % FILLS_EVERY === 0) {
      const { fills } = host;
      this.tell((checker) => checker.onFills?.(end, fills));
    }
    this.#viewMarks.onStatus(status, cause, this.#world.cluster.genesis.timeouts.viewChangeMs);
    this.tell((checker) => checker.onStatus?.(id, status));
  }

  /** What a Byzantine replica does inside is nobody's business. */
  tell(report: (checker: Checker) => void): void {
    if (!this.#isDiverging) this.tellSaid(report);
  }

  /** What it signs binds it although its state is wrong: it may say nothing, but never something else. */
  tellSaid(report: (checker: Checker) => void): void {
    if (!this.#replica.isCorrect) return;
    try {
      for (const checker of this.#world.checkers) report(checker);
    } catch (violation) {
      this.#world.fail(violation);
    }
  }

  /** Its state has become wrong behind its back. */
  onDiverging(): void {
    this.#isDiverging = true;
    this.tellSaid((checker) => checker.onDiverging?.(this.#replica.id));
    this.#world.marks.add("audit: diverging");
  }

  /** What a host tells of itself. */
  ofHost(): HostObserver {
    const { id, end, isCorrect, drawing, plant, onFatal } = this.#replica;
    const { marks, note } = this.#world;
    const onExecuted = (batch: ExecutedBatch): void => this.#onExecuted(batch);
    return {
      onExecuted: plant.onExecuted?.(onExecuted) ?? onExecuted,
      onStable: (seq) => {
        marks.add("checkpoint: stable");
        note(`${end} stable n${seq}`);
        this.tell((checker) => checker.onStable?.(id, seq));
      },
      onViewChange: (turn) => this.#onViewChange(turn),
      onEvidence: (evidence) => {
        marks.add("evidence");
        if (isCorrect) this.#viewMarks.onEvidence(evidence);
        this.tell((checker) => checker.onEvidence?.(id, evidence));
      },
      onEpoch: (membership) => {
        const { epoch, start } = membership;
        if (this.#replica.onEpoch(membership) && isCorrect) this.#epochMarks.onKeyGone();
        if (isCorrect) this.#epochMarks.onEpoch(this.#replica.host());
        note(`${end} is in e${epoch} above n${start?.seq}`);
        const host = this.#replica.host();
        if (host !== undefined) this.tell((checker) => checker.onEpochs?.(id, host.epochs));
        const status = host?.status;
        if (status === undefined || host?.isInstalling === true) return;
        this.tell((checker) => checker.onRecovered?.(id, status));
        if (isCorrect) this.#viewMarks.onRecovered(status);
      },
      onMute: (mute) => {
        if (mute !== undefined) return;
        marks.add("mute: voted again");
        note(`${end} votes again`);
        drawing.ended("mute");
      },
      onTransferStarted: ({ target, distrustsEntries }) => {
        this.#isRepairing = distrustsEntries;
        this.#isInstalling = true;
        marks.add("state transfer: begun");
        if (isCorrect) this.#epochMarks.onTransferStarted(this.#replica.host());
        note(`${end} fetches the state at n${target.seq}`);
        this.restart();
      },
      onVoting: (seq) => {
        marks.add("state transfer: votes meanwhile");
        note(`${end} votes above n${seq}`);
        this.tell((checker) => checker.onVoting?.(id, seq));
        this.#onVotes();
      },
      onTransferred: (progress, status) => this.#onTransferred(progress, status),
      onLevel: (status) => {
        marks.add("state transfer: level with the votes");
        this.#onLevel(status);
      },
      onScrubbed: ({ isRoundOver }) => isRoundOver && marks.add("scrub: round"),
      onScrubFound: () => marks.add("scrub: damage found"),
      onQuarantined: ({ by }, { attempt, upTo }) => {
        this.#quarantinedUpTo = upTo;
        marks.add(`audit: quarantined by ${by}`);
        this.tellSaid((checker) => checker.onQuarantined?.(id));
        note(`${end} is quarantined by ${by}, attempt ${attempt}`);
        drawing.happened("down", "quarantined");
      },
      onDivergence: ({ from, part, seq }) => {
        marks.add("audit: another found to be wrong");
        note(`${end} finds r${from} to be wrong: ${part} at n${seq}`);
        this.tell((checker) => checker.onDivergence?.(id, from));
      },
      onStateDamaged: () => marks.add("state transfer: damage found"),
      onRepair: ({ attempt, pauseMs }) => {
        this.tellSaid((checker) => checker.onDamaged?.(id));
        if (attempt > 1) marks.add("state transfer: damaged again after a repair");
        note(`${end} is damaged, repair ${attempt} after ${pauseMs}`);
      },
      onRejection: (rejection: IngressRejection) => marks.add(`rejected: ${rejection.code}`),
      onFatal,
    };
  }

  #onTransferred(
    { target, differing, leavesSkipped, leavesFetched, bytesReceived, bytesOnWire }: FetchProgress,
    status: ReplicaStatus,
  ): void {
    const { end } = this.#replica;
    const { marks, note } = this.#world;
    marks.add("state transfer: done");
    if (this.#replica.isCorrect) this.#epochMarks.onTransferred(this.#replica.host());
    if (this.#isRepairing) this.#onRepaired();
    this.#isInstalling = false;
    if (differing.count > 0) marks.add("state transfer: differing entries replaced");
    if (this.#isRepairing) marks.add("state transfer: repaired");
    if (bytesOnWire < bytesReceived) marks.add("state transfer: deflated");
    if (leavesSkipped > 0) marks.add("state transfer: only what differs");
    note(
      `${end} has the state at n${target}: ${leavesFetched} fetched, ${leavesSkipped} alike, ${bytesReceived} bytes, ${bytesOnWire} on the wire`,
    );
    const host = this.#replica.host();
    this.#tellTransferred(status, host?.stateDigests);
    if (host?.isInstalling === false) this.#onLevel(status);
  }

  /** Each of its entries is what a certificate says. */
  #onRepaired(): void {
    if (this.#isDiverging) this.#world.marks.add("audit: repaired");
    this.#isDiverging = false;
    this.#quarantinedUpTo = undefined;
  }

  /** A host votes that did not before; or it voted already, and its checkpoint moves up. */
  #onVotes(): void {
    const status = this.#replica.host()?.status;
    if (this.#isVoting || status === undefined) return;
    this.#isVoting = true;
    if (this.#replica.isCorrect) this.#viewMarks.onRecovered(status);
  }

  #tellTransferred(status: ReplicaStatus, digests: ReplicaRunner["stateDigests"]): void {
    this.tell((checker) => checker.onTransferred?.(this.#replica.id, status, digests?.historyDigest ?? ""));
  }

  #onLevel(status: ReplicaStatus): void {
    const { id, end, isCorrect } = this.#replica;
    this.#isVoting = false;
    this.#world.note(`${end} is level with its votes at n${status.executed}`);
    this.tell((checker) => checker.onRecovered?.(id, status));
    if (isCorrect) this.#viewMarks.onRecovered(status);
  }

  #onViewChange(turn: ViewTurn): void {
    const { id, end, isCorrect } = this.#replica;
    const what = turn.type === "entered" ? `enters v${turn.view}` : `leaves for v${turn.target}: ${turn.cause}`;
    this.#world.note(`${end} ${what}`);
    if (isCorrect) this.#viewMarks.onTurn(turn);
    if (isCorrect) this.#epochMarks.onViewChange(turn, this.#replica.host());
    this.tell((checker) => checker.onViewChange?.(id, turn));
  }

  #onExecuted(batch: ExecutedBatch): void {
    const { id, end, isCorrect, drawing, plant } = this.#replica;
    const host = this.#replica.host();
    if (plant.wrongFrom !== undefined && batch.seq >= plant.wrongFrom && !this.#isDiverging) this.onDiverging();
    const operations = this.#operations;
    this.#operations = [];
    if (host === undefined) return;
    const stateRoot = host.stateDigests?.stateRoot ?? "";
    const { marks, note, roots } = this.#world;
    if (isCorrect && batch.isCheckpoint && stateRoot !== "" && !this.#isDiverging)
      roots.set(batch.seq, digest(stateRoot));
    drawing.happened("executed", `executed ${batch.seq}`);
    if (isCorrect) this.#viewMarks.onExecuted(batch.batchDigest);
    if (isCorrect) this.#epochMarks.onExecuted(batch.batchDigest, host);
    if (batch.sessionsEvicted > 0) marks.add("session: evicted");
    note(`${end} executed n${batch.seq} ${batch.batchDigest.slice(0, 8)} ${stateRoot.slice(0, 8)}`);
    if (operations.some((operation) => operation.result === undefined)) marks.add("operation: threw");
    const agreedMs = operations[0]?.timestampMs;
    this.tell((checker) => checker.onExecuted?.({ ...batch, replica: id, stateRoot, operations, agreedMs }));
  }
}
