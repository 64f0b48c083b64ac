import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import {
  NO_CHANGES,
  optionsForSeed,
  parseSimulationOptions,
  Simulation,
  SimulationFailure,
  type SimulationOptions,
  shrink,
} from "@quorate/test-harness";
import { expect } from "chai";

const COMMAND = resolve(fileURLToPath(import.meta.url), "../../bin/simulate.js");

/** A disk that forgets all in a power cut: nothing but a crash makes it show. */
function runForgetful(options: SimulationOptions): unknown {
  return new Simulation(options, { recoveredStore: (_crashed, createEmpty) => createEmpty() }).run();
}

describe("Shrinking a failing run", () => {
  const given: SimulationOptions = {
    ...optionsForSeed(1),
    ...NO_CHANGES,
    replicas: 4,
    clients: 4,
    faultyClients: 1,
    byzantine: [{ replica: 1, behaviour: "silent" }],
    faults: [
      { type: "cut", atMs: 200, replica: 2, direction: "in", forMs: 50 },
      ...[400, 700, 1_000].map((atMs) => ({ type: "crash", atMs, replicas: [0, 1, 2, 3], downMs: 20 }) as const),
    ],
  };

  it("takes away all that it does not need, and keeps what it does", () => {
    const { options, failure, runs } = shrink(given, runForgetful)!;

    expect(options.faults).to.have.length(1);
    const [crash] = options.faults;
    expect(crash?.type).to.equal("crash");
    // Of the four that fell at once, as few as forget something that matters.
    if (crash?.type === "crash") expect(crash.replicas.length).to.be.lessThan(4);
    expect(options.safetyMs).to.be.lessThan(given.safetyMs);
    expect(options).to.deep.include({ seed: 1, faultyClients: 0, byzantine: [] });
    expect(options.clients * options.operations).to.be.lessThan(given.clients * given.operations);
    expect(runs).to.be.at.most(400);
    expect(() => runForgetful(options)).to.throw(SimulationFailure, failure.message.split("\n")[0]);
  });

  it("keeps to its bound, and leaves alone what passes", () => {
    expect(shrink(given, runForgetful, 3)?.runs).to.equal(3);
    expect(shrink(given, () => undefined)).to.equal(undefined);
  });

  it("has options that come back from the text of the report", () => {
    const { options, failure } = shrink(given, runForgetful, 5)!;

    const printed = /^options (.*)$/m.exec(failure.message)?.[1] ?? "";
    expect(parseSimulationOptions(printed)).to.deep.equal(options);
    expect(failure.message).to.match(
      /^repeat: save the options above as FILE, then npm run simulate -- --options FILE$/m,
    );
  });
});

describe("The simulate command with options", () => {
  let folder = "";
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-options-"));
  });
  after(() => rmSync(folder, { recursive: true, force: true }));
  const simulate = (...args: string[]): { status: number | null; stdout: string; stderr: string } =>
    spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8" });
  const fileOf = (options: unknown): string => {
    const file = join(folder, "options.json");
    writeFileSync(file, JSON.stringify(options));
    return file;
  };

  it("runs them as they are", () => {
    const options = { ...optionsForSeed(3), clients: 1, operations: 5 };

    const { status, stdout, stderr } = simulate("--options", fileOf(options));

    expect(status, stderr).to.equal(0);
    expect(stdout).to.contain(`trace ${new Simulation(options).run().traceHash}`);
  });

  it("shrinks a run with more liars than are tolerated, and says how to repeat it", () => {
    const liars = [1, 2, 3].map((replica) => ({ replica, behaviour: "wrong-replies" }) as const);

    const { status, stderr } = simulate(
      "--shrink",
      "--options",
      fileOf({ ...optionsForSeed(2), ...NO_CHANGES, replicas: 4, byzantine: liars, faults: [] }),
    );

    expect(status, stderr).to.equal(1);
    expect(stderr).to.match(/the smallest of \d+ runs that fails for the same reason/);
    const options = parseSimulationOptions(/^options (.*)$/m.exec(stderr)?.[1] ?? "");
    expect(options.clients).to.equal(1);
    expect(simulate("--options", fileOf(options)).status).to.equal(1);
  });

  it("says what is wrong with them", () => {
    for (const [options, message] of [
      [[], /options is of kind list, expected object/],
      [{ ...optionsForSeed(1), clients: "1" }, /options\.clients is of kind string, expected number/],
      [{ ...optionsForSeed(1), luck: 1 }, /options\.luck is unknown/],
    ] as const) {
      const { status, stderr } = simulate("--options", fileOf(options));
      expect(status).to.equal(2);
      expect(stderr).to.match(message);
    }
    expect(simulate("--shrink").status).to.equal(2);
  });
}).timeout(60_000);
