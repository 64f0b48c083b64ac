import type { Fill } from "@quorate/protocol";
import type { ReplicaStatus } from "@quorate/replica";
import type { ListenerSnapshot } from "@quorate/transport";
import type { MetricFamily, MetricSample } from "./exposition.ts";
import type { LinkCount, LinkCounts } from "./link-counts.ts";
import type { Readiness } from "./readiness.ts";
import type { ReplicaCounters } from "./replica-counters.ts";
import type { PeerStatus } from "./replica-links.ts";
import type { TransferStatus } from "./replica-runner.ts";

/** What the metrics of a replica are read from. */
export interface MetricSource {
  /** Null: it observes. */
  readonly replica: number | null;
  readonly isPrimary: boolean;
  /** n of the epoch that it is in. */
  readonly members: number;
  /** That follow it. */
  readonly observers: number;
  readonly durability: string;
  readonly signatures: string;
  readonly status: ReplicaStatus;
  readonly readiness: Readiness;
  readonly counters: ReplicaCounters;
  /** What is brought here; undefined while the state is whole. */
  readonly transfer: TransferStatus | undefined;
  /** See `ReplicaRunner.repairs`. */
  readonly repairsInARow: number;
  /** See `ReplicaHost.scrubbed`. */
  readonly scrubbed: number;
  readonly isQuarantined: boolean;
  /** See `ReplicaHost.fills`. */
  readonly fills: readonly Fill[];
  readonly gatedEffects: number;
  readonly evidence: { readonly kept: number; readonly dropped: number };
  readonly peers: readonly PeerStatus[];
  readonly clients: number;
  /** Undefined before it listens. */
  readonly listener: ListenerSnapshot | undefined;
  readonly links: LinkCounts;
  readonly process: {
    readonly startedMs: number;
    readonly cpuSeconds: number;
    readonly residentBytes: number;
    readonly loopActiveMs: number;
  };
}

/** All metrics of a replica. Names are part of the interface: the operator's guide lists them. */
export function replicaMetrics(source: MetricSource): MetricFamily[] {
  return [
    ...orderingMetrics(source),
    ...epochMetrics(source),
    ...transferMetrics(source),
    ...scrubMetrics(source),
    ...auditMetrics(source),
    ...workMetrics(source),
    ...linkMetrics(source),
    ...processMetrics(source),
  ];
}

function orderingMetrics({
  replica,
  isPrimary,
  durability,
  signatures,
  status,
  readiness,
  counters,
}: MetricSource): MetricFamily[] {
  return [
    {
      name: "quorate_replica_info",
      type: "gauge",
      help: "Always 1; what this replica is, in its labels.",
      samples: [{ value: 1, labels: { replica: `${replica ?? "observer"}`, durability, signatures } }],
    },
    gauge("quorate_ready", "1 when /readyz says yes.", Number(readiness.isReady)),
    gauge("quorate_primary", "1 at the primary of the view entered last.", Number(isPrimary)),
    gauge("quorate_stranded", "1 when the gap to the others has left their history.", Number(status.isStranded)),
    gauge("quorate_mute", "1 while it lost its disk and does not vote yet.", Number(status.mute !== undefined)),
    gauge("quorate_view", "The view entered last.", status.view),
    gauge("quorate_target_view", "The view it moves to; equal to quorate_view while it orders.", status.target),
    gauge("quorate_view_timeout_seconds", "How long a request may wait in this view.", status.timeOutMs / 1_000),
    counter("quorate_view_changes_started_total", "Views given up.", counters.viewChangesStarted),
    {
      name: "quorate_views_left_total",
      type: "counter",
      help: "Views left, by cause.",
      samples: Object.entries(status.viewsLeft).map(([cause, value]) => ({ value, labels: { cause } })),
    },
    counter("quorate_views_entered_total", "Views entered.", counters.viewsEntered),
    gauge("quorate_executed_sequence_number", "The last executed sequence number.", status.executed),
    gauge("quorate_low_watermark", "The last stable checkpoint, h.", status.lowWatermark),
    gauge("quorate_high_watermark", "The end of the log window, h + L.", status.highWatermark),
  ];
}

function epochMetrics({ replica, members, status, counters }: MetricSource): MetricFamily[] {
  return [
    gauge("quorate_epoch", "The epoch that it is in.", status.epoch),
    gauge("quorate_members", "Members of that epoch, n.", members),
    gauge("quorate_member", "1 while it is one of the members, 0 while it observes.", Number(replica !== null)),
    counter("quorate_epochs_begun_total", "Epochs that it has begun.", counters.epochsBegun),
    counter(
      "quorate_epoch_pause_seconds_total",
      "Time between the execution of the last batch of an epoch and the next epoch.",
      counters.epochPauseMs / 1_000,
    ),
  ];
}

/** A transfer that runs counts with what it has got so far. */
function transferMetrics({ counters, transfer, repairsInARow }: MetricSource): MetricFamily[] {
  const { leaves = 0, leavesSkipped = 0, leavesFetched = 0, bytesReceived = 0, bytesOnWire = 0 } = transfer ?? {};
  const { chunksRejected = 0 } = transfer ?? {};
  return [
    gauge("quorate_state_transfer", "1 while the state is brought here.", Number(transfer !== undefined)),
    gauge("quorate_state_transfer_entries", "Entries of the state that is brought here.", leaves),
    gauge("quorate_state_transfer_entries_here", "Those of them that are here.", leavesSkipped + leavesFetched),
    counter("quorate_state_transfers_total", "States brought here.", counters.stateTransfers),
    counter(
      "quorate_state_transfer_bytes_total",
      "Bytes of state received for that.",
      counters.stateTransferBytes + bytesReceived,
    ),
    counter(
      "quorate_state_transfer_wire_bytes_total",
      "The same as they came, less where they were compressed.",
      counters.stateTransferWireBytes + bytesOnWire,
    ),
    counter(
      "quorate_state_transfer_chunks_rejected_total",
      "Answers that were not what the target's root says, or not what was asked for.",
      counters.stateTransferChunksRejected + chunksRejected,
    ),
    counter("quorate_state_damages_total", "Damaged parts of the own state that were found.", counters.stateDamages),
    counter("quorate_state_repairs_total", "Times that damage had the state repaired.", counters.repairs),
    gauge("quorate_state_repairs_in_a_row", "Those of them that were not long after one another.", repairsInARow),
  ];
}

function scrubMetrics({ counters, scrubbed }: MetricSource): MetricFamily[] {
  return [
    gauge("quorate_scrub_position_ratio", "How much of this round the scrubber has done.", scrubbed),
    counter("quorate_scrub_rounds_total", "Rounds of the scrubber over the whole state.", counters.scrubRounds),
    counter("quorate_scrub_entries_total", "Entries that it looked at.", counters.scrubbedEntries),
    counter("quorate_scrub_bytes_total", "Bytes of entries and pages that it looked at.", counters.scrubbedBytes),
    counter("quorate_scrub_findings_total", "Times that it found damage.", counters.scrubFindings),
  ];
}

function auditMetrics({ status, counters, isQuarantined, peers }: MetricSource): MetricFamily[] {
  const divergent = new Set(status.divergent.map(({ from }) => from));
  const samples = peers.map(({ replica }) => ({
    value: Number(divergent.has(replica)),
    labels: { peer: `${replica}` },
  }));
  return [
    gauge("quorate_quarantined", "1 while others contradict it and nothing repairs it yet.", Number(isQuarantined)),
    counter("quorate_quarantines_total", "Times that others contradicted this replica.", counters.quarantines),
    {
      name: "quorate_peer_divergent",
      type: "gauge",
      help: "1 while the peer says something else than this replica and a quorum.",
      samples,
    },
    counter("quorate_peer_divergences_total", "Times that a peer was found to be wrong.", counters.divergences),
  ];
}

function workMetrics({ status, counters, fills, gatedEffects, evidence }: MetricSource): MetricFamily[] {
  const perQueue = (read: (fill: Fill) => number): MetricSample[] =>
    fills.filter(({ isIndex }) => isIndex !== true).map((fill) => ({ value: read(fill), labels: { queue: fill.of } }));
  const entries = perQueue(({ size }) => size);
  const limits = perQueue(({ max }) => max);
  const rejections = counters.rejections.map(([code, value]) => ({ value, labels: { code } }));
  return [
    counter("quorate_executed_batches_total", "Batches executed.", counters.executedBatches),
    counter("quorate_executed_requests_total", "Requests in the batches executed.", counters.executedRequests),
    counter("quorate_stable_checkpoints_total", "Checkpoints that became stable.", counters.stableCheckpoints),
    gauge("quorate_pending_requests", "Requests that wait to be ordered or executed.", status.pendingRequests),
    { name: "quorate_queue_entries", type: "gauge", help: "What is in each bounded queue.", samples: entries },
    { name: "quorate_queue_limit", type: "gauge", help: "The most that may be in it.", samples: limits },
    counter("quorate_sessions_evicted_total", "Client sessions that gave way to new ones.", counters.sessionsEvicted),
    gauge("quorate_gated_effects", "Effects that wait for a flush of the log.", gatedEffects),
    counter("quorate_log_flushes_total", "Flushes of the log.", counters.logFlushes),
    counter("quorate_log_flush_seconds_total", "Time until flushes of the log were done.", counters.logFlushMs / 1_000),
    gauge("quorate_evidence_pieces", "Pieces of evidence that are kept.", evidence.kept),
    counter("quorate_evidence_dropped_total", "Pieces not kept: their replica's share is full.", evidence.dropped),
    { name: "quorate_rejections_total", type: "counter", help: "Inputs dropped, by reason.", samples: rejections },
  ];
}

function linkMetrics({ peers, clients, observers, listener, links }: MetricSource): MetricFamily[] {
  const perPeer = (read: (peer: PeerStatus) => number): MetricSample[] =>
    peers.map((peer) => ({ value: read(peer), labels: { peer: `${peer.replica}` } }));
  const dropped = peers.flatMap(({ replica, traffic: { queueFull, tooLarge, down } }) =>
    Object.entries({ "queue-full": queueFull, "too-large": tooLarge, down }).map(([reason, value]) => ({
      value,
      labels: { peer: `${replica}`, reason },
    })),
  );
  const of = (
    name: string,
    type: MetricFamily["type"],
    help: string,
    samples: readonly MetricSample[],
  ): MetricFamily => ({ name, type, help, samples });
  const refused = Object.entries(listener?.refused ?? {}).map(([reason, value]) => ({ value, labels: { reason } }));
  const unsent = Object.entries(links.clientFramesDropped).map(([reason, value]) => ({ value, labels: { reason } }));
  const perCode = (counts: readonly LinkCount[]): MetricSample[] =>
    counts.map(({ role, code, count }) => ({ value: count, labels: { role, code } }));
  const received = perPeer(({ traffic }) => traffic.bytesIn);
  const sent = perPeer(({ traffic }) => traffic.bytesOut);
  const connected = perPeer(({ isConnected }) => Number(isConnected));
  return [
    of("quorate_peer_connected", "gauge", "1 while there is a link with the peer.", connected),
    of(
      "quorate_peer_queued_bytes",
      "gauge",
      "Output that the peer has not taken.",
      perPeer((p) => p.queuedBytes),
    ),
    of(
      "quorate_peer_received_frames_total",
      "counter",
      "Frames received.",
      perPeer((p) => p.traffic.framesIn),
    ),
    of("quorate_peer_received_bytes_total", "counter", "Bytes received.", received),
    of(
      "quorate_peer_sent_frames_total",
      "counter",
      "Frames sent.",
      perPeer((p) => p.traffic.framesOut),
    ),
    of("quorate_peer_sent_bytes_total", "counter", "Bytes sent.", sent),
    of("quorate_peer_dropped_frames_total", "counter", "Frames not sent, by reason.", dropped),
    gauge("quorate_clients", "Clients connected.", clients),
    gauge("quorate_observers", "Observers that follow this replica.", observers),
    gauge("quorate_client_links", "Links of clients.", listener?.clientLinks ?? 0),
    gauge("quorate_client_queued_bytes", "Output that clients have not taken.", listener?.clientQueuedBytes ?? 0),
    counter("quorate_client_links_cut_total", "Client links cut for it.", listener?.clientLinksCut ?? 0),
    gauge("quorate_connections", "Connections accepted, proven or not.", listener?.connections ?? 0),
    gauge("quorate_unproven_connections", "Connections whose peer is not proven.", listener?.strangers ?? 0),
    of("quorate_refused_connections_total", "counter", "Connections that came to nothing, by reason.", refused),
    of("quorate_client_dropped_frames_total", "counter", "Frames for clients that were not sent, by reason.", unsent),
    of(
      "quorate_invalid_frames_total",
      "counter",
      "Frames that closed their link, by kind of sender and reason.",
      perCode(links.invalidFrames),
    ),
    of(
      "quorate_links_ended_total",
      "counter",
      "Links that ended and dials that came to nothing, by kind of peer and reason.",
      perCode(links.ended),
    ),
  ];
}

function processMetrics({ process }: MetricSource): MetricFamily[] {
  return [
    counter("quorate_event_loop_active_seconds_total", "Time the event loop was busy.", process.loopActiveMs / 1_000),
    counter("process_cpu_seconds_total", "CPU time, user and system.", process.cpuSeconds),
    gauge("process_resident_memory_bytes", "Resident memory.", process.residentBytes),
    gauge("process_start_time_seconds", "When the process started, since 1970.", process.startedMs / 1_000),
  ];
}

function counter(name: string, help: string, value: number): MetricFamily {
  return { name, type: "counter", help, samples: [{ value }] };
}

function gauge(name: string, help: string, value: number): MetricFamily {
  return { name, type: "gauge", help, samples: [{ value }] };
}
