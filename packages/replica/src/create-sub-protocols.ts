import { Audit, Checkpointing } from "@quorate/checkpoint";
import { type EndOfEpoch, Ordering } from "@quorate/pbft-core";
import { type Base, weakQuorumSize } from "@quorate/protocol";
import { GapFiller } from "@quorate/state-transfer";
import { ViewChanging } from "@quorate/view-change";
import { Backlog } from "./backlog.ts";
import { Deliveries } from "./deliveries.ts";
import { Muteness } from "./muteness.ts";
import type { Recovery, ReplicaOptions } from "./replica-options.ts";
import type { SubProtocols } from "./sub-protocols.ts";

/** What a replica is made of below its mediator. */
export interface CreatedSubProtocols {
  readonly parts: SubProtocols;
  readonly muteness: Muteness;
  readonly deliveries: Deliveries;
}

/** The sub-protocols of a replica on the ground it starts from, and as its log leaves them. */
export function createSubProtocols(options: ReplicaOptions, base: Base, recovery?: Recovery): CreatedSubProtocols {
  const executed = recovery?.executed ?? base.stable.seq;
  const { signer, windowSize, checkpointInterval: interval, statusIntervalMs } = options;
  const { membership } = base;
  const awaitsState = recovery?.awaitsState === true;
  const muteness = new Muteness(signer.self, membership, options, recovery?.muteness, awaitsState);
  const { isMute } = muteness;
  const ordering = new Ordering({ ...options, isMute }, base, executed, endOf(recovery));
  const nullDigest = options.nullBatch.digest;
  const composer = options.viewChangeComposer;
  const viewChanging = new ViewChanging({ ...options, composer, nullDigest, isMute }, base, recovery?.views);
  // No CHECKPOINT rests on a state that is not here.
  const signsNone = isMute || awaitsState;
  const silentUpTo = recovery?.silentUpTo;
  const checkpointing = new Checkpointing({ signer, windowSize, interval, isMute: signsNone, silentUpTo }, base);
  // As far as members may be apart while both take part.
  const outputs = { outputsMax: 2 * windowSize, silentUpTo: recovery?.outputsSilentUpTo };
  const auditOptions = { self: signer.self, membership, ...outputs };
  const audit = new Audit(auditOptions, { executed, executionDigest: recovery?.executionDigest });
  const gapFiller = new GapFiller({
    signer,
    epoch: membership.epoch,
    weakQuorum: weakQuorumSize(membership),
    retryAfterMs: 4 * statusIntervalMs,
    executed,
    unexecutedMax: windowSize,
  });
  if (recovery !== undefined) ordering.restore(recovery.ordering);
  const backlog = new Backlog();
  const parts = { membership, ordering, checkpointing, audit, gapFiller, viewChanging, backlog };
  return { parts, muteness, deliveries: new Deliveries(executed) };
}

/** Without its state a replica does not know where the epoch ends, and has not come to it when it votes there. */
function endOf(recovery: Recovery | undefined): EndOfEpoch | undefined {
  const { activation: seq, awaitsState } = recovery ?? {};
  return seq === undefined ? undefined : { seq, isKnown: awaitsState !== true };
}
