import { type SequenceNumber, timestampMs } from "@quorate/protocol";
import { expect } from "chai";
import { AbsentState } from "../dist/absent-state.js";
import { changeOf, clientOf, composer, digestOf, epoch, seqOf } from "./builders.ts";

const STABLE = 8;
const PARAMETERS = { type: "parameters", checkpointInterval: 4, windowSize: 8 } as const;
const certificateOf = (seq: number) => ({
  epoch,
  seq: seqOf(seq),
  stateRoot: digestOf(`root at ${seq}`),
  signatures: [],
});

/** Votes that rest on 8 and have decided up to a number, with a change in some of the batches. */
class Scene {
  readonly state: AbsentState;
  /** Which checkpoints were to be made durable, for the votes to rest on. */
  readonly raised: number[] = [];
  #executed = STABLE;

  constructor(activation?: number) {
    this.state = new AbsentState({
      stable: certificateOf(STABLE),
      activation: activation === undefined ? undefined : seqOf(activation),
      observer: {},
      makeDurable: ({ seq, stateRoot }) => {
        expect(stateRoot).to.equal(digestOf(`root at ${seq}`));
        this.raised.push(seq);
      },
    });
  }

  decide(upTo: number, ...changes: number[]): this {
    for (let seq = this.#executed + 1; seq <= upTo; seq++) {
      const digested = composer.compose(timestampMs(0), changes.includes(seq) ? [changeOf(PARAMETERS)] : []);
      this.state.execution.execute(seqOf(seq), digested);
    }
    this.#executed = upTo;
    return this;
  }
  certify(seq: number, stable = STABLE): this {
    this.state.onVotes({ certified: certificateOf(seq), stable: certificateOf(stable), executed: this.executed });
    return this;
  }
  get executed(): SequenceNumber {
    return this.state.execution.executed;
  }
}

describe("the votes of a replica whose state is not here (protocol rules 9.1, 10.2 and 11.2)", () => {
  it("come to rest on what is certified and decided here, once", () => {
    const scene = new Scene().decide(15).certify(16);
    expect(scene.raised, "not decided here").to.deep.equal([]);
    expect(scene.decide(17).certify(16).certify(16).raised).to.deep.equal([16]);
    expect(scene.decide(24).certify(16, 16).certify(24, 16).raised).to.deep.equal([16, 24]);
  });

  it("do not come to rest on what they rest on, nor below", () => {
    expect(new Scene().decide(20).certify(8).certify(4).certify(16, 16).raised).to.deep.equal([]);
  });

  for (const [at, raised] of [
    [15, []],
    [16, []],
    [17, [16]],
  ] as const)
    it(`${raised.length === 0 ? "do not come" : "come"} to rest on 16 where ${at} may begin an epoch`, () => {
      expect(new Scene().decide(24, at).certify(16).raised).to.deep.equal(raised);
    });

  it("stay below the first of several such batches, however far they have come", () => {
    const scene = new Scene().decide(40, 17, 30).certify(16);
    expect(scene.certify(24, 16).certify(32, 16).certify(40, 16).raised).to.deep.equal([16]);
  });

  it("go on over a client that is admitted or expelled, which begins no epoch", () => {
    const scene = new Scene().decide(8);
    const { publicKey: client } = clientOf("somebody");
    const digested = composer.compose(timestampMs(0), [changeOf({ type: "admit", client })]);
    scene.state.execution.execute(seqOf(9), digested);
    expect(scene.state.execution.firstChange).to.equal(undefined);
  });

  it("do not come to rest on the end of the epoch, as far as that is known, nor above", () => {
    const scene = new Scene(24).decide(24).certify(16);
    expect(scene.certify(24, 16).raised).to.deep.equal([16]);
    scene.decide(25);
    expect(scene.certify(25, 16).raised).to.deep.equal([16]);
  });

  it("end at no activation without a state: that is a bug", () => {
    expect(() => new Scene(24).state.epochLink()).to.throw("host.activation-without-state");
  });
});
