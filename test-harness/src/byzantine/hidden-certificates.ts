import {
  type JustifiedViewChange,
  primaryOf,
  type ReplicaFrame,
  type Status,
  type ViewNumber,
  viewNumber,
} from "@quorate/protocol";
import { type ByzantineActor, type ByzantineTools, HONEST, statusIn } from "./actor.ts";
import { bare, resigned } from "./view-changes.ts";

/** The most views of which it remembers what it said. */
const SAID_MAX = 64;

const KEPT_BACK: ReadonlySet<string> = new Set([
  "pre-prepare",
  "prepare",
  "commit",
  "batch-body",
  "committed",
  "new-view",
]);

/**
 * Gathers the PREPAREs of others and says none, so that it alone holds the certificate; conceals it until a view has begun
 * without the batch, and then claims it in time for each later one. It gives no batch to anyone, takes none in place of what
 * it hides, and orders nothing in its own views.
 */
export function hidesCertificates(tools: ByzantineTools): ByzantineActor {
  const { membership, self, mark } = tools;
  const said = new Map<ViewNumber, ReplicaFrame>();
  let hidden: JustifiedViewChange | undefined;
  /** Always the same for one view: it does not contradict itself. */
  const sayFor = (view: ViewNumber, own: JustifiedViewChange): ReplicaFrame => {
    const before = said.get(view);
    if (before !== undefined) return before;
    const { message } = own.envelope;
    const isConcealed = view === message.view || primaryOf(membership, view) === self;
    if (!isConcealed) mark("claims a hidden certificate");
    const claiming = resigned(own, { view }, tools);
    const frame: ReplicaFrame = { type: "view-change", viewChange: isConcealed ? bare(claiming, tools) : claiming };
    if (said.size >= SAID_MAX) said.clear();
    said.set(view, frame);
    return frame;
  };
  const onOwn = (own: JustifiedViewChange): ReplicaFrame => {
    const { view, prepared } = own.envelope.message;
    if (hidden === undefined && prepared.length > 0) hidden = own;
    return hidden === undefined ? { type: "view-change", viewChange: own } : sayFor(view, hidden);
  };
  /** In time for the next view, too, once it is in one. */
  const onStatus = (frame: ReplicaFrame, { view, target, stable }: Status): readonly ReplicaFrame[] => {
    // A stable checkpoint has passed all of it: it looks for something else to hide.
    if (hidden?.envelope.message.prepared.every(({ seq }) => seq <= stable) === true) hidden = undefined;
    // On its way to a view it waits for that one: a VIEW-CHANGE for a later one would take the place of this.
    return hidden === undefined || view !== target ? [frame] : [frame, sayFor(viewNumber(target + 1), hidden)];
  };
  return {
    ...HONEST,
    hears: (frame) => hidden === undefined || frame.type !== "pre-prepare",
    toReplica: (_to, frame) => {
      const type = frame.type === "signed" ? frame.envelope.message.type : frame.type;
      if (KEPT_BACK.has(type)) return [];
      if (frame.type === "view-change" && frame.viewChange.envelope.from === self) return [onOwn(frame.viewChange)];
      const status = statusIn(frame);
      return status === undefined ? [frame] : onStatus(frame, status);
    },
  };
}
