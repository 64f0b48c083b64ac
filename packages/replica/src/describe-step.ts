import { accusedOf, assertNever, type Effect, type LogRecord } from "@quorate/protocol";
import { describeMessage, describeReplicaFrame, short } from "./describe-frame.ts";
import type { ReplicaEvent } from "./events.ts";

/** One line for a step: the event, and the effects that it had, if it came so far. Pure; for traces and people. */
export function describeStep(event: ReplicaEvent, effects: readonly Effect[] | undefined): string {
  if (effects === undefined) return `${describeEvent(event)} → !`;
  return `${describeEvent(event)} → ${effects.map(describeEffect).join(", ") || "-"}`;
}

function describeEvent(event: ReplicaEvent): string {
  switch (event.type) {
    case "start":
      return "start";
    case "request":
      return `${describeReplicaFrame({ type: "request", request: event.request.request })} ${event.standing.type}`;
    case "message": {
      const { from, message } = event.envelope;
      const body = event.batch === undefined ? "" : ` with ${event.batch.requests.length}`;
      return `r${from} ${describeMessage(message)}${body}`;
    }
    case "batch-body":
      return `r${event.from} batch-body ${short(event.batch.digest)} of ${event.batch.requests.length}`;
    case "committed": {
      const { seq, digest } = event.entry.certificate;
      return `r${event.from} committed n${seq} ${short(digest)}`;
    }
    case "certificate": {
      const { seq, stateRoot } = event.certificate;
      const type = event.isBelowHistory ? "below-history" : "stable-checkpoint";
      return `r${event.from} ${type} n${seq} ${short(stateRoot)}`;
    }
    case "view-change":
      return `r${event.from} ${describeMessage(event.viewChange.viewChange.envelope.message)}`;
    case "new-view":
      return `r${event.from} ${describeMessage(event.newView.newView.envelope.message)}`;
    case "query-stable":
      return `r${event.from} ${describeMessage(event.envelope.message)}`;
    case "reply-stable":
      return `r${event.from} ${describeMessage(event.reply.envelope.message)}`;
    case "timeout":
      return `timer ${event.timer}#${event.token}`;
    case "hand-over-asked":
      return "hand-over asked";
    case "executed":
      return `executed n${event.seq}`;
    case "state-durable":
      return `state-durable n${event.seq} ${short(event.stateRoot)}`;
    default:
      return assertNever(event);
  }
}

function describeEffect(effect: Effect): string {
  switch (effect.type) {
    case "persist":
      return `persist ${describeRecord(effect.record)}`;
    case "archive":
      return `archive n${effect.seq}`;
    case "cut":
      return `cut n${effect.upTo}`;
    case "send":
      return `send r${effect.to} ${describeReplicaFrame(effect.frame)}`;
    case "broadcast":
      return `broadcast ${describeReplicaFrame(effect.frame)}`;
    case "tell-observers":
      return `tell-observers ${describeReplicaFrame(effect.frame)}`;
    case "send-history":
      return `send-history r${effect.to} n${effect.first}-${effect.last}`;
    case "execute":
      return `execute n${effect.seq} ${short(effect.batch.digest)}`;
    case "fetch-state":
      return `fetch-state n${effect.target.seq}`;
    case "epoch-over":
      return `epoch-over e${effect.link.epoch} n${effect.link.seq}`;
    case "quarantine":
      return `quarantine n${effect.upTo} by ${effect.contradiction.by}`;
    case "divergence":
      return `divergence r${effect.divergence.from} n${effect.divergence.seq}`;
    case "start-timer":
      return `start-timer ${effect.timer}#${effect.token} ${effect.afterMs}`;
    case "cancel-timer":
      return `cancel-timer ${effect.timer}`;
    case "evidence":
      return `evidence ${effect.evidence.type} r${accusedOf(effect.evidence)}`;
    case "rejected":
      return `rejected ${effect.rejection.code}`;
    case "refuse":
      return `refuse ${short(effect.requestDigest)} ${effect.code}`;
    default:
      return assertNever(effect);
  }
}

function describeRecord(record: LogRecord): string {
  switch (record.type) {
    case "pre-prepared":
    case "prepared": {
      const { message } = record.type === "prepared" ? record.certificate.prePrepare : record.envelope;
      return `${record.type} v${message.view} n${message.seq} ${short(message.digest)}`;
    }
    case "stable":
      return `stable n${record.checkpoint.seq}`;
    case "view-change":
      return `view-change v${record.viewChange.envelope.message.view} at n${record.at}`;
    case "new-view":
      return `new-view v${record.newView.envelope.message.view} at n${record.at}`;
    case "mute":
      return `mute with ${record.replies.length} at n${record.at}`;
    case "released":
      return `released ${short(record.nonce)} e${record.epoch} at n${record.at}`;
    default:
      return assertNever(record);
  }
}
