import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { epochNumber, replicaId, viewNumber } from "@quorate/protocol";
import {
  exposition,
  LinkCounts,
  type MetricSource,
  ReplicaCounters,
  readinessOf,
  replicaMetrics,
} from "@quorate/server";
import { type IngressRejection, REJECTION_CODES } from "@quorate/server/host";
import type { FetchProgress } from "@quorate/state-transfer";
import { expect } from "chai";
import { membership, seqOf } from "./builders.ts";
import { LINT_RULES, lintOf } from "./exposition-lint.ts";
import { type ParsedFamily, parseExposition } from "./strict-exposition.ts";

const GUIDE = fileURLToPath(new URL("../../../docs/operators-guide.md", import.meta.url));

const status: MetricSource["status"] = {
  epoch: epochNumber(6),
  activation: undefined,
  view: viewNumber(1),
  target: viewNumber(2),
  timeOutMs: 2_500,
  primary: replicaId(1),
  executed: seqOf(20),
  lowWatermark: seqOf(16),
  highWatermark: seqOf(32),
  pendingRequests: 3,
  viewsLeft: { failed: 2, joined: 1, slow: 3, unfair: 0, "handed-over": 5, rotated: 4 },
  isStranded: false,
  mute: undefined,
  observer: undefined,
  divergent: [],
};
const traffic = { framesIn: 1, bytesIn: 2, framesOut: 3, bytesOut: 4, queueFull: 5, tooLarge: 6, down: 7 };

function sourceOf(counters: ReplicaCounters): MetricSource {
  return {
    replica: 1,
    durability: "sync",
    signatures: "node",
    status,
    transfer: undefined,
    repairsInARow: 0,
    isQuarantined: false,
    readiness: { isReady: false, reasons: ["a reason"] },
    counters,
    fills: [
      { of: "slots", size: 5, max: 64 },
      { of: "pending requests of a client", size: 1, max: 16 },
      { of: "ready requests", size: 1, max: 1, isIndex: true },
    ],
    gatedEffects: 9,
    scrubbed: 0.5,
    evidence: { kept: 2, dropped: 1 },
    peers: [0, 2].map((id) => ({
      replica: replicaId(id),
      isConnected: id === 0,
      queuedBytes: 8,
      droppedFrames: 18,
      traffic,
    })),
    clients: 4,
    observers: 3,
    isPrimary: true,
    members: 5,
    listener: {
      connections: 7,
      strangers: 1,
      replicaLinks: 2,
      observerLinks: 3,
      clientLinks: 5,
      clientQueuedBytes: 11,
      clientLinksCut: 1,
      refused: { "hello.wrong-cluster": 2, address: 1 },
    },
    links: linkCounts(),
    process: { startedMs: 1_500, cpuSeconds: 0.25, residentBytes: 1_024, loopActiveMs: 500 },
  };
}
function linkCounts(): LinkCounts {
  const counts = new LinkCounts();
  for (let i = 0; i < 3; i++) counts.onInvalid("client", "truncated");
  counts.onEnded("replica", "link.heartbeat");
  counts.onEnded("client", "link.slow-receiver");
  counts.onEnded("client", "link.slow-receiver");
  counts.onClientFrameDropped("not-taken");
  for (let i = 0; i < 3; i++) counts.onClientFrameDropped("gone");
  return counts;
}
const familiesOf = (counters = new ReplicaCounters()): ParsedFamily[] =>
  parseExposition(exposition(replicaMetrics(sourceOf(counters))));

function metricOf(families: readonly ParsedFamily[], name: string, labels: Record<string, string> = {}): number {
  const family = families.find((one) => one.name === name);
  const sample = family?.samples.find((one) => JSON.stringify(one.labels) === JSON.stringify(labels));
  if (sample === undefined) throw new Error(`no ${name} ${JSON.stringify(labels)}`);
  return sample.value;
}

describe("the metrics of a replica", () => {
  it("have the names, types and labels that the operator's guide lists, and no others", () => {
    const rows = [
      ...readFileSync(GUIDE, "utf8").matchAll(/^\| `((?:quorate|process)_\w+)` \| (\w+) \| ([^|]*) \| .+ \|$/gm),
    ];
    const listed = rows.map(([, name, type, labels = ""]) => `${name} ${type} ${labels.replaceAll("`", "").trim()}`);
    const given = familiesOf().map(
      ({ name, type, samples: [first] }) => `${name} ${type} ${Object.keys(first?.labels ?? {}).join(", ")}`,
    );

    expect(given.map((line) => line.trim())).to.deep.equal(listed.map((line) => line.trim()));
  });

  it("count what was rejected of a transfer that is over and of one that runs", () => {
    const counters = new ReplicaCounters();
    const progress = { bytesReceived: 10, bytesOnWire: 5, chunksRejected: 2 } as FetchProgress;
    counters.onTransferred(progress);
    const families = parseExposition(
      exposition(
        replicaMetrics({
          ...sourceOf(counters),
          transfer: { ...progress, percent: 50, isVoting: false, differing: 0 },
        }),
      ),
    );

    expect(metricOf(families, "quorate_state_transfer_chunks_rejected_total")).to.equal(4);
    expect(metricOf(families, "quorate_state_transfer_wire_bytes_total")).to.equal(10);
  });

  it("that the operator's guide wants an alarm for are there", () => {
    const alarms = /### Alarms\n(.*?)\n## /s.exec(readFileSync(GUIDE, "utf8"))?.[1] ?? "";
    const named = [...alarms.matchAll(/quorate_\w+/g)].map(([name]) => name);

    expect(named).to.have.length.greaterThan(8);
    expect(familiesOf().map(({ name }) => name)).to.include.members(named);
  });

  it("break no rule of promtool", () => {
    const families = familiesOf();

    expect(families).to.have.length.greaterThan(30);
    expect(lintOf(families)).to.deep.equal([]);
  });

  it("are in base units and say what the replica says", () => {
    const families = familiesOf();

    expect(metricOf(families, "quorate_view_timeout_seconds")).to.equal(2.5);
    expect(metricOf(families, "quorate_event_loop_active_seconds_total")).to.equal(0.5);
    expect(metricOf(families, "process_start_time_seconds")).to.equal(1.5);
    expect(metricOf(families, "quorate_views_left_total", { cause: "slow" })).to.equal(3);
    expect(metricOf(families, "quorate_primary")).to.equal(1);
    expect(metricOf(families, "quorate_ready")).to.equal(0);
    expect(metricOf(families, "quorate_target_view")).to.equal(2);
    expect(metricOf(families, "quorate_epoch")).to.equal(6);
    expect(metricOf(families, "quorate_members")).to.equal(5);
    expect(metricOf(families, "quorate_member")).to.equal(1);
    expect(metricOf(families, "quorate_peer_connected", { peer: "2" })).to.equal(0);
    expect(metricOf(families, "quorate_peer_dropped_frames_total", { peer: "0", reason: "too-large" })).to.equal(6);
    expect(metricOf(families, "quorate_refused_connections_total", { reason: "address" })).to.equal(1);
    expect(metricOf(families, "quorate_invalid_frames_total", { role: "client", code: "truncated" })).to.equal(3);
    expect(metricOf(families, "quorate_links_ended_total", { role: "client", code: "link.slow-receiver" })).to.equal(2);
    expect(metricOf(families, "quorate_links_ended_total", { role: "replica", code: "link.heartbeat" })).to.equal(1);
    expect(metricOf(families, "quorate_client_dropped_frames_total", { reason: "not-taken" })).to.equal(1);
    expect(metricOf(families, "quorate_client_dropped_frames_total", { reason: "gone" })).to.equal(3);
  });

  it("tell a member from an observer", () => {
    const source = { ...sourceOf(new ReplicaCounters()), replica: null };
    const families = parseExposition(exposition(replicaMetrics(source)));

    expect(metricOf(families, "quorate_member")).to.equal(0);
  });

  it("count what happens, and have every reason to drop an input from the start", () => {
    const counters = new ReplicaCounters();
    const before = familiesOf(counters);
    counters.onRejection({ code: "vote.conflicting", from: replicaId(2), seq: seqOf(1) });
    counters.onExecuted({
      seq: 1,
      batchDigest: "",
      historyDigest: "",
      requests: 3,
      sessionsEvicted: 2,
      isCheckpoint: false,
    });
    for (const cause of ["slow", "joined"] as const)
      counters.onViewChange({ type: "started", target: viewNumber(1), cause });
    counters.onViewChange({ type: "entered", view: viewNumber(1) });
    counters.onEpoch();
    counters.onEpochPause(125);
    counters.onLogFlushed(250);
    counters.onStable();
    const after = familiesOf(counters);

    const code = { code: "vote.conflicting" };
    expect([before, after].map((all) => metricOf(all, "quorate_rejections_total", code))).to.deep.equal([0, 1]);
    expect(metricOf(after, "quorate_executed_batches_total")).to.equal(1);
    expect(metricOf(after, "quorate_executed_requests_total")).to.equal(3);
    expect(metricOf(after, "quorate_sessions_evicted_total")).to.equal(2);
    expect(metricOf(after, "quorate_queue_entries", { queue: "slots" })).to.equal(5);
    expect(metricOf(after, "quorate_queue_limit", { queue: "pending requests of a client" })).to.equal(16);
    const queues = after
      .find(({ name }) => name === "quorate_queue_entries")
      ?.samples.map(({ labels }) => labels.queue);
    expect(queues, "no index").to.deep.equal(["slots", "pending requests of a client"]);
    expect(metricOf(after, "quorate_view_changes_started_total")).to.equal(2);
    expect(metricOf(after, "quorate_views_entered_total")).to.equal(1);
    expect([before, after].map((all) => metricOf(all, "quorate_epochs_begun_total"))).to.deep.equal([0, 1]);
    expect(metricOf(after, "quorate_epoch_pause_seconds_total")).to.equal(0.125);
    expect(metricOf(after, "quorate_log_flush_seconds_total")).to.equal(0.25);
    expect(metricOf(after, "quorate_stable_checkpoints_total")).to.equal(1);
    const seriesOf = (all: ParsedFamily[]): number => all.reduce((sum, { samples }) => sum + samples.length, 0);
    expect(seriesOf(after), "a count makes no new series").to.equal(seriesOf(before));
  });

  it("have every code of a rejection, and count each under its own", () => {
    const counters = new ReplicaCounters();
    const codes = Object.keys(REJECTION_CODES) as IngressRejection["code"][];
    for (const [times, code] of codes.entries())
      for (let i = 0; i <= times; i++) counters.onRejection({ code } as IngressRejection);

    const family = familiesOf(counters).find(({ name }) => name === "quorate_rejections_total");
    const counted = new Map(family?.samples.map(({ labels, value }) => [labels.code, value]));
    expect(counted).to.deep.equal(new Map(codes.map((code, times) => [code, times + 1])));
  });

  it("are escaped, whatever stands in a label", () => {
    const value = 'a"b\\c\nd';
    const text = exposition([
      { name: "x", type: "gauge", help: "one\\two\nthree", samples: [{ value: 1, labels: { value } }] },
    ]);

    expect(text.split("\n")).to.have.length(4);
    expect(parseExposition(text)[0]?.samples).to.deep.equal([{ labels: { value }, value: 1 }]);
  });
});

describe("the strict parser of these tests", () => {
  const gauge = (lines: string): string => `# HELP x One.\n# TYPE x gauge\n${lines}\n`;

  it("refuses what the tools of Prometheus cannot read", () => {
    for (const text of [
      "x 1\n",
      "# HELP x One.\nx 1\n",
      "# HELP x One.\n# TYPE y gauge\ny 1\n",
      gauge("y 1"),
      gauge("x NaN"),
      gauge("x 1\nx 2"),
      gauge('x{a="1",a="2"} 1'),
      gauge('x{a="1"b="2"} 1'),
      `${gauge("x 1")}${gauge("x 1")}`,
      gauge("x 1").trimEnd(),
    ])
      expect(() => parseExposition(text), text).to.throw(/expected|does not end/);
    expect(parseExposition(gauge('x{a="1"} 1'))).to.have.length(1);
  });
});

describe("the lint of these tests", () => {
  for (const { rule, example } of LINT_RULES)
    it(`has a rule for: ${rule}`, () => {
      const [family] = parseExposition(example);

      expect(lintOf(parseExposition(example))).to.deep.equal([`${family?.name}: ${rule}`]);
    });
});

describe("readinessOf", () => {
  const settled = { view: viewNumber(3), target: viewNumber(3), isStranded: false, mute: undefined };

  it("wants a settled view, a vote, a history that the others still have, and peers for a quorum", () => {
    expect(readinessOf(settled, membership, 2, false)).to.deep.equal({ isReady: true, reasons: [] });
    const reasonsOf = (change: object, peers = 3): readonly string[] => {
      const { isReady, reasons } = readinessOf({ ...settled, ...change }, membership, peers, false);
      expect(isReady).to.equal(false);
      return reasons;
    };
    expect(reasonsOf({}, 1)).to.deep.equal(["links to 1 peers, a quorum needs 2"]);
    expect(reasonsOf({ target: viewNumber(4) })).to.deep.equal(["it has left view 3 and is not in view 4 yet"]);
    expect(reasonsOf({ isStranded: true })).to.deep.equal(["it is stranded: its gap has left the others' history"]);
    const mute = { replies: 0, repliesNeeded: 3, checkpoint: undefined, view: undefined };
    expect(reasonsOf({ mute })).to.deep.equal(["it is mute: its disk was lost, and it does not vote yet"]);
    expect(reasonsOf({ isStranded: true }, 0)).to.have.length(2);
    const observing = readinessOf(settled, membership, 3, false, false, true);
    expect(observing).to.deep.equal({
      isReady: false,
      reasons: ["it is no member: it observes, and serves stale reads only"],
    });
    const installing = readinessOf(settled, membership, 3, true);
    expect(installing).to.deep.equal({ isReady: false, reasons: ["the state of the others is being brought to it"] });
  });
});
