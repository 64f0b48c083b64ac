import { timestampMs } from "@quorate/protocol";
import { Executor } from "@quorate/state-machine";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { endOfEpoch } from "../dist/end-of-epoch.js";
import type { EpochOptions } from "../dist/host-options.js";
import { noteChange } from "../dist/noted-changes.js";
import {
  changeOf,
  cluster,
  composer,
  digestOf,
  epoch,
  genesis,
  hasher,
  newEpochs,
  newScript,
  seqOf,
  signerOf,
} from "./builders.ts";

const STABLE = 8;
const PARAMETERS = { type: "parameters", checkpointInterval: 4, windowSize: 8 } as const;

/**
 * Where the epoch may end for whom the log calls 8 stable. K = 8 and L = 16.
 *
 * @param state how far its state is executed, with a change at `changeAt`; undefined: nothing of it is there.
 * @param executed what is said of it; undefined while it is being brought.
 */
function end(
  state: { readonly upTo: number; readonly changeAt?: number } | undefined,
  executed: number | undefined,
  ...noted: number[]
): number | undefined {
  return endIn(newEpochs(), state, executed, ...noted);
}

/** Of whoever knows these epochs. */
function endIn(
  epochs: EpochOptions["epochs"],
  ...[state, executed, ...noted]: Parameters<typeof end>
): ReturnType<typeof end> {
  const store = createMemoryStore();
  if (state !== undefined) {
    const service = { execute: (operation: Uint8Array): Uint8Array => operation };
    const executor = new Executor({ genesis, cluster, service, store, hasher, signer: signerOf(1) });
    for (let seq = 1; seq <= state.upTo; seq++)
      executor.execute(
        seqOf(seq),
        composer.compose(timestampMs(0), seq === state.changeAt ? [changeOf(PARAMETERS)] : []),
      );
  }
  for (const seq of noted) noteChange(store.local, seqOf(seq));
  const stable = { epoch, seq: seqOf(STABLE), stateRoot: digestOf("root"), signatures: [] };
  return endOfEpoch(
    { epochs, hasher, store },
    {
      stable,
      executed: () => (executed === undefined ? undefined : seqOf(executed)),
      votesMax: () => Number.POSITIVE_INFINITY,
    },
  );
}

describe("the end of the epoch of a replica whose state is not here (protocol rules 10.2 and 11.2)", () => {
  it("is not within reach where no change waits and none is noted", () => {
    expect(end({ upTo: 4 }, 4)).to.equal(undefined);
  });

  it("is the activation of the change that waits in the state", () => {
    expect(end({ upTo: 4, changeAt: 2 }, 4)).to.equal(24);
    expect(end({ upTo: 12, changeAt: 12 }, undefined), "of a state that is not whole").to.equal(32);
  });

  it("is that of the first batch that is not executed and may be a change", () => {
    expect(end({ upTo: 4 }, 4, 9, 17)).to.equal(32);
    expect(end({ upTo: 4 }, 4, 8, 17), "the last number for an activation").to.equal(24);
  });

  it("is not that of a batch that is executed: what came of it is in the state", () => {
    expect(end({ upTo: 4 }, 4, 4)).to.equal(undefined);
    expect(end({ upTo: 4 }, 4, 4, 17)).to.equal(40);
  });

  it("counts what is above the stable checkpoint only, while the state is brought to it", () => {
    expect(end({ upTo: 8 }, undefined, 8)).to.equal(undefined);
    expect(end({ upTo: 8 }, undefined, 8, 9)).to.equal(32);
  });

  it("is the smaller of both", () => {
    expect(end({ upTo: 4, changeAt: 2 }, 4, 9)).to.equal(24);
    expect(end({ upTo: 20, changeAt: 20 }, undefined, 9), "the noted one").to.equal(32);
  });

  it("is what is stable where nothing of the state is there: nothing is voted for above", () => {
    expect(end(undefined, undefined)).to.equal(STABLE);
    expect(end(undefined, undefined, 9)).to.equal(STABLE);
  });

  it("is what is stable where the state is of an epoch before: what waits in this one is not known", () => {
    const script = newScript();
    script.idle(1);
    expect(endIn(script.chainAt(1), { upTo: 4 }, undefined), "nothing waits in the state").to.equal(STABLE);
    expect(endIn(script.chainAt(1), { upTo: 4 }, 4, 9), "nor is it what the next change brings").to.equal(STABLE);
    expect(endIn(script.chainAt(1), { upTo: 4, changeAt: 2 }, 4), "nor what ended the one before").to.equal(STABLE);
  });

  it("is what is executed where the state is of the next epoch already", () => {
    expect(end({ upTo: 24, changeAt: 2 }, 24)).to.equal(24);
    expect(end({ upTo: 24, changeAt: 2 }, undefined), "or what is stable").to.equal(STABLE);
  });
});
