import { epochNumber, genesisConfiguration } from "@quorate/protocol";
import type { JudgedChange } from "@quorate/reconfiguration";
import { expect } from "chai";
import { pino } from "pino";
import { ChangeLog, REFUSALS_WARNED_MAX } from "../dist/change-log.js";
import { changeOf, clientOf, digestOf, genesis, seqOf } from "./builders.ts";
import { EpochScene, FIRST_END, storeBehind } from "./epoch-scene.ts";

const PARAMETERS = { type: "parameters", checkpointInterval: 4, windowSize: 8 } as const;
const { request } = changeOf(PARAMETERS);
const configuration = genesisConfiguration(genesis);
const short = (who: string): string => clientOf(who).publicKey.slice(0, 16);

function judgedAt(seq: number, outcome: JudgedChange["outcome"]): JudgedChange {
  if (request.type !== "reconfiguration") throw new Error("a change was built");
  return { seq: seqOf(seq), request, configuration, outcome };
}
const accepted = (seq: number): JudgedChange => judgedAt(seq, { epoch: epochNumber(1), activation: seqOf(24) });
const refused = (seq: number): JudgedChange => judgedAt(seq, "in-flight");

/** A log, and its lines without when and where. */
class LoggedChanges {
  readonly lines: Record<string, unknown>[] = [];
  nowMs = 0;
  readonly log: ChangeLog = new ChangeLog(
    pino(
      { level: "debug", base: null, timestamp: false, formatters: { level: (level) => ({ level }) } },
      {
        write: (line: string) => this.lines.push(JSON.parse(line)),
      },
    ),
    () => this.nowMs,
  );

  get levels(): unknown[] {
    return this.lines.map(({ level }) => level);
  }
}

describe("the log of a replica, of changes", () => {
  it("has what was accepted, of whom, and where it takes effect", () => {
    const { log, lines } = new LoggedChanges();

    log.onChanges([accepted(2)]);

    expect(lines).to.deep.equal([
      {
        level: "info",
        seq: 2,
        change: PARAMETERS,
        admins: [short("admin")],
        submitter: short("submitter"),
        epoch: 1,
        activation: 24,
        msg: "change accepted",
      },
    ]);
  });

  it("has each refusal with its code, and what to do", () => {
    const { log, lines } = new LoggedChanges();

    log.onChanges([refused(2)]);

    expect(lines).to.deep.equal([
      {
        level: "warn",
        seq: 2,
        change: PARAMETERS,
        admins: [short("admin")],
        submitter: short("submitter"),
        epoch: 0,
        code: "in-flight",
        reason: "another change waits for its activation; order this one when that is in force",
        msg: "change refused",
      },
    ]);
  });

  it("has the beginning of an epoch, with its members and the pause, where it waited", () => {
    const { log, lines } = new LoggedChanges();
    const start = { seq: seqOf(24), stateRoot: digestOf("state") };

    const { members } = configuration;
    log.onEpoch({ epoch: epochNumber(1), members, start }, undefined);
    log.onEpoch({ epoch: epochNumber(1), members, start }, 125);

    const line = { level: "info", epoch: 1, activation: 24, members: [0, 1, 2, 3], msg: "a new epoch begins" };
    expect(lines).to.deep.equal([line, { ...line, pauseMs: 125 }]);
  });

  it("says of batches that are executed again nothing but at debug", () => {
    const logged = new LoggedChanges();

    for (const batch of [
      [refused(2), accepted(2)],
      [refused(3)],
      [refused(2), accepted(2)],
      [refused(3)],
      [refused(4)],
    ])
      logged.log.onChanges(batch);

    expect(logged.levels).to.deep.equal(["warn", "info", "warn", "debug", "debug", "debug", "warn"]);
  });

  it("warns of so many refusals in a minute, and of each change that is accepted", () => {
    const logged = new LoggedChanges();

    for (let seq = 1; seq <= REFUSALS_WARNED_MAX + 2; seq++) logged.log.onChanges([refused(seq)]);
    logged.log.onChanges([accepted(REFUSALS_WARNED_MAX + 3)]);
    expect(logged.levels).to.deep.equal([
      ...new Array<string>(REFUSALS_WARNED_MAX + 1).fill("warn"),
      "debug",
      "debug",
      "info",
    ]);
    logged.nowMs = 60_000;
    logged.log.onChanges([refused(REFUSALS_WARNED_MAX + 4)]);

    expect(logged.levels.at(-1)).to.equal("warn");
  });
});

describe("a replica that executes a change", () => {
  const seen = ({ changes }: EpochScene): unknown[] =>
    changes.map(({ seq, request: { change, approvals }, configuration: { epoch }, outcome }) => ({
      seq,
      change,
      admins: approvals.map(({ key }) => key),
      epoch,
      outcome,
    }));
  const expected = {
    seq: 2,
    change: PARAMETERS,
    admins: [clientOf("admin").publicKey],
    epoch: 0,
    outcome: { epoch: 1, activation: FIRST_END },
  };

  it("tells what became of it, once", () => {
    const scene = new EpochScene().reaches(FIRST_END);

    expect(seen(scene)).to.deep.equal([expected]);
    expect(seen(scene.flush().crashed()), "it does not execute it again").to.deep.equal([]);
  });

  it("has it waiting until its epoch begins", () => {
    const scene = new EpochScene().reaches(2);
    expect(scene.runner.pendingChange).to.deep.include({ ordered: 2, activation: FIRST_END });
    expect(scene.runner.pendingChange?.next).to.deep.include({ epoch: 1, checkpointInterval: 4, windowSize: 8 });

    scene.reaches(FIRST_END).certifies(FIRST_END);
    expect(scene.runner.pendingChange).to.equal(undefined);
  });

  it("tells so too where it catches up with the votes", () => {
    const scene = new EpochScene(storeBehind("complete", 1)).turn();

    expect(seen(scene)).to.deep.equal([expected]);
  });
});
