import { type Batch, type Request, sequenceNumber, timestampMs } from "@quorate/protocol";
import {
  type ByzantineActor,
  type ByzantineTools,
  flipped,
  HONEST,
  otherDigest,
  ownProposal,
  type ProposalFrame,
  propose,
} from "./actor.ts";

/** The most batches and requests that are remembered for later. */
const REMEMBERED_MAX = 64;

/** Proposes batches with requests that are forged, doubled, executed long ago or not yet due; or under another digest. */
export function badBatches(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  const proposed: Batch[] = [];
  let latest: Request | undefined;
  const worsen = (proposal: ProposalFrame): ProposalFrame => {
    const { batch, envelope } = proposal;
    const { message } = envelope;
    const [first] = batch.requests;
    const old = proposed[prng.integer(0, proposed.length - 1)];
    if (proposed.length < REMEMBERED_MAX) proposed.push(batch);
    if (first === undefined || prng.chance(0.6)) return proposal;
    const withRequests = (requests: readonly Request[]): Batch => ({ ...batch, requests });
    const kinds: [string, () => ProposalFrame][] = [
      ["forged", () => propose(message, withRequests([{ ...first, signature: flipped(first.signature) }]), tools)],
      ["duplicate", () => propose(message, withRequests([first, first]), tools)],
      ["executed", () => propose(message, withRequests(old?.requests ?? [first]), tools)],
      ["out-of-order", () => propose(message, withRequests([latest ?? first]), tools)],
    ];
    const kind = prng.integer(0, kinds.length);
    const [name, make] = kinds[kind] ?? [
      "wrong-digest",
      () => ({ ...proposal, envelope: tools.signer.sign({ ...message, digest: otherDigest(message.digest) }) }),
    ];
    mark(`batch ${name}`);
    return make();
  };
  return {
    ...HONEST,
    hears: (frame) => {
      if (frame.type === "request") latest = frame.request;
      return true;
    },
    toReplica: (_to, frame) => {
      const proposal = ownProposal(frame, tools);
      return [proposal === undefined ? frame : worsen(proposal)];
    },
  };
}

const HOUR_MS = 3_600_000;
/** Long after all of us. */
const YEAR_2106_MS = 4_300_000_000_000;

/** Proposes batches with times of its own: ahead, behind, going back, the time of the null batch. */
export function wrongTimes(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  const draw = (trueMs: number): readonly [name: string, ms: number] =>
    prng.pick([
      ["an hour ahead", trueMs + HOUR_MS],
      ["in 2106", YEAR_2106_MS],
      ["a little ahead", trueMs + 30],
      ["an hour ago", trueMs - HOUR_MS],
      ["a little ago", Math.max(0, trueMs - 200)],
      ["at the beginning", 0],
    ]);
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const proposal = ownProposal(frame, tools);
      if (proposal === undefined || prng.chance(0.5)) return [frame];
      const { envelope, batch } = proposal;
      const [name, ms] = draw(batch.timestampMs);
      mark(`time ${name}`);
      return [propose(envelope.message, { ...batch, timestampMs: timestampMs(Math.max(0, ms)) }, tools)];
    },
  };
}

/** How many numbers an eager primary fills with nothing at once. */
const EMPTY_AT_ONCE = 4;

/** Fills numbers with batches that hold nothing: empty ones, and null batches, which only a NEW-VIEW may propose. */
export function emptyBatches(tools: ByzantineTools): ByzantineActor {
  const { prng, mark } = tools;
  return {
    ...HONEST,
    toReplica: (_to, frame) => {
      const proposal = ownProposal(frame, tools);
      if (proposal === undefined || prng.chance(0.4)) return [frame];
      const { envelope, batch } = proposal;
      const isNull = prng.chance(0.5);
      mark(isNull ? "null batches" : "empty batches");
      const empty: Batch = { timestampMs: isNull ? timestampMs(0) : batch.timestampMs, requests: [] };
      return Array.from({ length: EMPTY_AT_ONCE }, (_, i) =>
        propose({ ...envelope.message, seq: sequenceNumber(envelope.message.seq + i) }, empty, tools),
      );
    },
  };
}
