import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createReplicaSigner } from "@quorate/crypto";
import { replicaId, requestNumber, type SessionId, timestampMs, viewNumber } from "@quorate/protocol";
import { saveTrace, TRACE_FILES_MAX } from "@quorate/server";
import {
  decodeReplicaTrace,
  encodeReplicaTrace,
  type HostSettings,
  type ReplayedStep,
  type ReplayOutcome,
  ReplicaHost,
  type ReplicaTrace,
  replayTrace,
  TraceFormatError,
} from "@quorate/server/host";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import {
  backend,
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  genesis,
  hasher,
  newEpochs,
  newVerifier,
  seedOf,
  seqOf,
  signerOf,
} from "./builders.ts";

/** A backup over a memory store, which the other three drive. */
class Backup {
  readonly store: MemoryStore;
  readonly host: ReplicaHost;
  readonly fatal: Error[] = [];
  readonly timers = new Map<string, () => void>();
  #nowMs = 1_000;

  constructor(settings: Partial<HostSettings> = {}, store: MemoryStore = createMemoryStore()) {
    this.store = store;
    this.host = new ReplicaHost(
      {
        genesis,
        cluster,
        service: { execute: (operation) => operation },
        store,
        signer: signerOf(1),
        verifier: newVerifier(),
        hasher,
        composer,
        codec,
        epochs: newEpochs(),
        settings,
        ports: {
          nowMs: () => this.#nowMs++,
          monotonicMs: () => 0,
          sendToReplica: () => undefined,
          sendToReplicas: () => undefined,
          sendToObservers: () => undefined,
          sendToClient: () => undefined,
          startTimer: (timer, _afterMs, fire) => this.timers.set(timer, fire),
          cancelTimer: (timer) => this.timers.delete(timer),
        },
        observer: { onFatal: (error) => this.fatal.push(error) },
      },
      () => undefined,
    );
    this.host.start();
  }

  /** A batch of one request, proposed by the primary and voted for by all others. */
  orders(seq: number): void {
    const request = clientOf("client").signOperations({
      session: digestOf("session") as string as SessionId,
      number: requestNumber(seq),
      operations: [new Uint8Array(40).fill(seq)],
    });
    const { digest, batch } = composer.compose(timestampMs(1_000 + seq), [request]);
    const place = { epoch, view: viewNumber(0), seq: seqOf(seq), digest };
    const from = (id: number): ReturnType<typeof replicaId> => replicaId(id);
    const proposal = envelopeOf(0, { type: "pre-prepare", ...place });
    this.host.onReplicaFrame(from(0), { type: "pre-prepare", envelope: proposal, batch });
    for (const id of [2, 3])
      this.host.onReplicaFrame(from(id), { type: "signed", envelope: envelopeOf(id, { type: "prepare", ...place }) });
    while (this.store.disk.completeFlush());
    for (const id of [0, 2, 3])
      this.host.onReplicaFrame(from(id), { type: "signed", envelope: envelopeOf(id, { type: "commit", ...place }) });
    while (this.store.disk.completeFlush());
  }

  /** A decision bears its own COMMIT, of which its disk knows nothing: it is not the one that it spoke from. */
  isReminded(seq: number): void {
    const { digest, batch } = composer.compose(timestampMs(1_000 + seq), []);
    const place = { epoch, view: viewNumber(0), seq: seqOf(seq), digest };
    const signatures = [0, 1, 2].map((id) => ({
      from: replicaId(id),
      signature: envelopeOf(id, { type: "commit", ...place }).signature,
    }));
    this.host.onReplicaFrame(replicaId(0), {
      type: "committed",
      entry: { certificate: { ...place, signatures }, batch },
    });
  }

  /** As a file would have it. */
  get trace(): ReplicaTrace {
    const [failure = new Error("nothing has happened")] = this.fatal;
    return decodeReplicaTrace(encodeReplicaTrace(this.host.trace(failure, "a test")));
  }
}

/** A backup that has forgotten what it committed to behind the first checkpoint. */
function broken(settings?: Partial<HostSettings>, store?: MemoryStore): Backup {
  const backup = new Backup(settings, store);
  for (let seq = 1 + backup.host.status.executed; seq <= genesis.checkpointInterval; seq++) backup.orders(seq);
  backup.isReminded(genesis.checkpointInterval + 1);
  return backup;
}

function replay(trace: ReplicaTrace): { readonly steps: readonly ReplayedStep[]; readonly outcome: ReplayOutcome } {
  const steps: ReplayedStep[] = [];
  // Another key than the replica's.
  const signer = createReplicaSigner({ backend, seed: seedOf("replay"), self: replicaId(1), cluster });
  const replaying = replayTrace(trace, { hasher, signer });
  for (let next = replaying.next(); ; next = replaying.next()) {
    if (next.done === true) return { steps, outcome: next.value };
    steps.push(next.value);
  }
}

describe("the trace of a replica that broke an invariant", () => {
  it("is run again, step by step, to the same violation, without the replica's key", () => {
    const { fatal, trace } = broken();
    const [error] = fatal;
    const { steps, outcome } = replay(trace);

    expect(error?.message).to.match(/^invariant replica\.own-commit-forgotten does not hold/);
    expect(outcome).to.deep.equal({ type: "same-failure", message: error?.message });
    expect(steps.map(({ number }) => number)).to.deep.equal(trace.steps.map((_, i) => i + 1));
    expect(steps[0]?.line).to.match(
      /^start → broadcast status v0→0 e0 h0 a0 lacks 0, tell-observers status v0→0 e0 h0 a0 lacks 0, start-timer status#1 \d+$/,
    );
    expect(steps.at(-1)?.line).to.match(/^r0 committed n9 [0-9a-f]{8} → !$/);
    expect(steps.map(({ line }) => line).join("\n")).to.match(
      /r0 pre-prepare v0 n1 ([0-9a-f]{8}) with 1 → persist pre-prepared v0 n1 \1, broadcast prepare v0 n1 \1/,
    );
  });

  it("begins with what the disk held when the replica had been started again", () => {
    const before = new Backup();
    for (let seq = 1; seq <= 5; seq++) before.orders(seq);
    const { fatal, trace } = broken({}, before.store.disk.crash());

    expect(trace.start?.recovery.executed).to.be.at.most(5);
    expect(trace.start?.recovery.ordering.slots).to.not.be.empty;
    expect(replay(trace).outcome).to.deep.equal({ type: "same-failure", message: fatal[0]?.message });
  });

  it("is only read when its beginning has been dropped, for too many steps or too many bytes", () => {
    for (const settings of [{ tracedStepsMax: 20 }, { tracedBytesMax: 20_000 }]) {
      const { trace } = broken(settings);
      const { steps, outcome } = replay(trace);

      expect(trace.start, JSON.stringify(settings)).to.equal(undefined);
      expect(trace.steps.length).to.be.within(5, 30);
      expect(outcome).to.deep.equal({ type: "only-read", dropped: trace.dropped });
      expect(steps[0]?.number).to.equal(trace.dropped + 1);
      expect(steps.at(-1)?.line).to.match(/^r0 committed n9 .* → !$/);
    }
  });

  it("tells the first step that does something else than it did", () => {
    const { trace } = broken();
    const steps = trace.steps.map((step, i) => (i === 4 ? { ...step, line: "as it was" } : step));
    const { steps: replayed, outcome } = replay({ ...trace, steps });

    expect(replayed).to.have.length(5);
    expect(outcome).to.deep.equal({ type: "other", recorded: "as it was", now: trace.steps[4]?.line });
  });

  it("says so when every step does what it did, and what failed was not a step", () => {
    const backup = new Backup();
    backup.orders(1);
    const { steps, outcome } = replay(backup.trace);

    expect(steps).to.have.length.greaterThan(5);
    expect(outcome).to.deep.equal({ type: "failed-outside", message: "nothing has happened" });
  });

  it("is no other file", () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(0xff), new TextEncoder().encode("{}"), Uint8Array.of(0xa0)])
      expect(() => decodeReplicaTrace(bytes), `${bytes}`).to.throw(TraceFormatError, /expected CBOR with the format/);
  });
});

describe("saveTrace", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-trace-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it("writes a file for its owner alone, named by the time", () => {
    const saved = saveTrace(folder, () => Uint8Array.of(1), new Date(Date.UTC(2026, 1, 3, 4, 5, 6, 7)));

    const path = join(folder, "trace-2026-02-03T04-05-06-007Z.cbor");
    expect(saved).to.deep.equal({ path });
    expect(statSync(path).mode & 0o777).to.equal(0o600);
  });

  it("keeps the first ones, and only so many", () => {
    for (let i = 0; i < TRACE_FILES_MAX; i++) writeFileSync(join(folder, `trace-${i}.cbor`), "");
    const saved = saveTrace(folder, () => Uint8Array.of(1), new Date(0));

    expect(saved).to.deep.equal({
      reason: `${TRACE_FILES_MAX} traces are in ${folder} already: move them away`,
    });
    expect(readdirSync(folder)).to.have.length(TRACE_FILES_MAX);
  });

  it("never throws: the error before it is the one to tell", () => {
    const fails = (): never => {
      throw new Error("no words");
    };

    expect(saveTrace(folder, fails, new Date(0))).to.deep.equal({ reason: "no words" });
    expect(saveTrace(join(folder, "nowhere"), () => Uint8Array.of(1), new Date(0))).to.have.property("reason");
  });
});
