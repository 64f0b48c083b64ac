import { createNodeHasher } from "@quorate/crypto/node";
import { createCast, createFakeBackend } from "@quorate/crypto/testing";
import { replicaId, viewNumber } from "@quorate/protocol";
import { CurrentView } from "../dist/current-view.js";
import { Proposer } from "../dist/proposer.js";
import { Reproposals } from "../dist/reproposals.js";
import { RequestQueue } from "../dist/request-queue.js";
import type { RestoredParts } from "../dist/restore-ordering.js";
import { ThreePhases } from "../dist/three-phases.js";
import { Window } from "../dist/window.js";
import { membersOf, nullBatch, orderingOptionsOf, seqOf } from "./builders.ts";

const hasher = createNodeHasher();
const { signerOf } = createCast(hasher, createFakeBackend(hasher));

export interface PartsOptions {
  readonly self?: number;
  readonly view?: number;
  /** h. */
  readonly stable?: number;
  readonly delivered?: number;
}

/** What an `Ordering` of four consists of, for tests of one part alone. */
export function partsOf({ self = 2, view = 1, stable = 0, delivered = stable }: PartsOptions = {}): RestoredParts & {
  readonly reproposals: Reproposals;
} {
  const signer = signerOf(self);
  const options = orderingOptionsOf(signer);
  const current = new CurrentView(membersOf(), replicaId(self), viewNumber(view), 0, false);
  const window = new Window(options.windowSize, seqOf(stable), seqOf(delivered));
  const queue = new RequestQueue(options.queue);
  const phases = new ThreePhases(options, current, window, queue, seqOf(delivered));
  const proposer = new Proposer(options, queue, window, seqOf(delivered));
  const reproposals = new Reproposals(nullBatch, current, window, phases);
  return { signer, view: current, window, phases, proposer, reproposals };
}
