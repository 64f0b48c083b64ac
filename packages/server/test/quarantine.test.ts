import {
  type CheckpointCertificate,
  genesisMembership,
  type ReplicaFrame,
  replicaId,
  type Status,
  viewNumber,
} from "@quorate/protocol";
import { createReplicaKeys, REPAIR_PAUSES_MS } from "@quorate/server/host";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { Quarantine } from "../dist/quarantine.js";
import { type QuarantineRecord, readQuarantine, writeQuarantine } from "../dist/quarantine-record.js";
import {
  backend,
  cluster,
  digestOf,
  envelopeOf,
  genesis,
  hasher,
  newEpochs,
  newScript,
  newVerifier,
  seedOf,
  seqOf,
} from "./builders.ts";

const { epoch } = genesisMembership(genesis);

function certificateOf(seq: number, root = `root ${seq}`): CheckpointCertificate {
  const stateRoot = digestOf(root);
  const signatures = [0, 2, 3].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", epoch, seq: seqOf(seq), stateRoot }).signature,
  }));
  return { epoch, seq: seqOf(seq), stateRoot, signatures };
}

/** Replica 1 in quarantine. */
class Scene {
  readonly sent: ReplicaFrame[] = [];
  readonly targets: number[] = [];
  readonly rejected: string[] = [];
  readonly fatal: Error[] = [];
  readonly quarantine: Quarantine;
  timer: { readonly afterMs: number; readonly fire: () => void } | undefined;
  seeds: readonly Uint8Array[] = [seedOf("replica 1")];

  constructor(
    record: Partial<QuarantineRecord> = {},
    known?: CheckpointCertificate,
    preferred = 0,
    isRestart = false,
    epochs = newEpochs(),
  ) {
    this.quarantine = new Quarantine({
      epochs,
      verifier: newVerifier(),
      keys: createReplicaKeys({ backend, hasher, cluster, seeds: () => this.seeds }),
      record: { upTo: seqOf(20), statementsUpTo: seqOf(36), attempts: 1, isWaiting: true, ...record },
      known,
      preferred: seqOf(preferred),
      isRestart,
      ports: {
        nowMs: () => 0,
        monotonicMs: () => 0,
        sendToReplica: (_to, frame) => this.sent.push(frame),
        sendToReplicas: (_to, frame) => this.sent.push(frame),
        sendToObservers: () => undefined,
        sendToClient: () => undefined,
        startTimer: (_timer, afterMs, fire) => {
          this.timer = { afterMs, fire };
        },
        cancelTimer: () => {
          this.timer = undefined;
        },
      },
      onRejection: ({ code }) => this.rejected.push(code),
      onTarget: ({ seq }) => this.targets.push(seq),
      onFatal: (error) => this.fatal.push(error),
    });
    this.quarantine.start();
  }

  /** Time passes until nothing waits, or so many timers have ended. */
  ticks(count: number): this {
    for (let i = 0; i < count; i++) {
      const { timer } = this;
      this.timer = undefined;
      timer?.fire();
    }
    return this;
  }
  hears(checkpoint: CheckpointCertificate, peer = 0): boolean {
    return this.quarantine.onReplicaFrame(replicaId(peer), { type: "stable-checkpoint", checkpoint });
  }
  standsAt(peer: number, executed: number): this {
    const status: Status = {
      type: "status",
      epoch,
      view: viewNumber(0),
      executed: seqOf(executed),
      stable: seqOf(0),
      accepted: seqOf(executed),
      lacks: [],
      target: viewNumber(0),
      viewChangesOf: [],
      executionDigest: undefined,
    };
    this.quarantine.onReplicaFrame(replicaId(peer), { type: "signed", envelope: envelopeOf(peer, status) });
    return this;
  }
  get ordered(): number[] {
    return this.sent.flatMap((frame) =>
      frame.type === "request" && frame.request.type === "checkpoint" ? [frame.request.above] : [],
    );
  }
  /** It says nothing of its own: it asks, and orders. */
  get kinds(): Set<string> {
    return new Set(this.sent.map(({ type }) => type));
  }
}

describe("a quarantine (protocol rule 9.5)", () => {
  it("ends at once with the certificate that is known, if that is of the last own checkpoint or above", () => {
    expect(new Scene({}, certificateOf(16), 16).targets).to.deep.equal([16]);
    const scene = new Scene({}, certificateOf(8), 16);
    expect(scene.targets, "a better one may be on its way").to.deep.equal([]);
    scene.hears(certificateOf(16));
    expect([scene.targets, scene.timer]).to.deep.equal([[16], undefined]);
    expect(new Scene({}, certificateOf(8), 16).ticks(4).targets, "or not").to.deep.equal([8]);
  });

  it("believes certificates that verify, and nothing else", () => {
    const scene = new Scene();
    const forged = { ...certificateOf(8), stateRoot: digestOf("another root") };
    expect([scene.hears(forged), scene.targets]).to.deep.equal([false, []]);
    expect([scene.hears(certificateOf(8)), scene.targets]).to.deep.equal([true, [8]]);
    scene.hears(certificateOf(16));
    expect(scene.targets, "once").to.deep.equal([8]);
  });

  it("asks, and after a second orders a checkpoint above what f+1 members say is executed, again when that is more", () => {
    const scene = new Scene().standsAt(0, 30).ticks(6);
    expect([...scene.kinds, scene.ordered]).to.deep.equal(["fetch-state", []]);
    scene.standsAt(2, 9).ticks(2);
    expect(scene.ordered, "a liar's number does not count").to.deep.equal([9]);
    scene.standsAt(3, 12).ticks(1);
    expect(scene.ordered).to.deep.equal([9, 12]);
    expect([...scene.kinds]).to.deep.equal(["fetch-state", "request"]);
  });

  it("orders nothing where it is no member, and takes a certificate that comes by itself", () => {
    const scene = new Scene();
    scene.seeds = [seedOf("of nobody")];
    scene.standsAt(0, 30).standsAt(2, 30).ticks(8);
    expect([...scene.kinds, scene.ordered]).to.deep.equal(["fetch-state", []]);
    scene.hears(certificateOf(32));
    expect(scene.targets).to.deep.equal([32]);
  });

  it("the second repair in a row waits, and is towards a certificate at or above all that went wrong", () => {
    const scene = new Scene({ attempts: 2 }, certificateOf(16));
    expect([scene.timer?.afterMs, scene.sent.length]).to.deep.equal([1_000, 0]);
    scene.ticks(5);
    expect(scene.targets).to.deep.equal([]);
    scene.hears(certificateOf(24));
    expect(scene.targets).to.deep.equal([24]);
  });

  it("waits longer each time, then stays; but whoever restarts the process has perhaps mended it", () => {
    const pauses = [2, 3, 4, 5].map((attempts) => new Scene({ attempts }, certificateOf(24)).timer?.afterMs);
    expect(pauses).to.deep.equal(REPAIR_PAUSES_MS.slice(1));
    const last = new Scene({ attempts: 6 }, certificateOf(24));
    expect([last.timer, last.targets, last.quarantine.status.isGivenUp]).to.deep.equal([undefined, [], true]);
    const restarted = new Scene({ attempts: 6 }, certificateOf(24), 0, true);
    expect([restarted.targets, restarted.quarantine.status.isGivenUp]).to.deep.equal([[24], false]);
  });

  it("is noted beside the state", () => {
    const { local } = createMemoryStore();
    expect(readQuarantine(local)).to.equal(undefined);
    for (const record of [
      { upTo: seqOf(2 ** 40), statementsUpTo: seqOf(2 ** 40 + 16), attempts: 3, isWaiting: true },
      { upTo: seqOf(0), statementsUpTo: seqOf(0), attempts: 0, isWaiting: false },
    ]) {
      writeQuarantine(local, record);
      expect(readQuarantine(local)).to.deep.equal(record);
    }
    local.write([{ key: new TextEncoder().encode("host/quarantine"), value: new Uint8Array(3) }]);
    expect(() => readQuarantine(local)).to.throw("host.quarantine-record");
  });

  it("is not repaired towards what members of an epoch that is over have certified above its end", () => {
    const script = newScript();
    script.idle(1);
    const { seq } = script.links[0]!.certificate;
    const scene = new Scene({}, undefined, 0, false, script.chainAt(1));
    expect(scene.hears(certificateOf(seq + 8)), "who passes it on may not know the end").to.equal(true);
    scene.ticks(1);
    expect([scene.targets, scene.rejected]).to.deep.equal([[], ["ingress.out-of-epoch"]]);
  });
});
