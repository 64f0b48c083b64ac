import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { decodePlainValue, encodePlainValue } from "@quorate/codec";
import { drawRun, optionsForSeed, type SavedRun, Simulation, type SimulationOptions } from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

const COMMAND = resolve(fileURLToPath(import.meta.url), "../../bin/simulate.js");
const CHECK_FOLDER = new URL("../bin/check-folder.js", import.meta.url).href;

interface Output {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function simulate(...args: string[]): Output {
  return spawnSync(process.execPath, [COMMAND, ...args], { encoding: "utf8" });
}

/** More than the model allows, so that it must fail: three that are silent, or one whose disk was lost, and which does not know. */
function beyondTheModel(what: "unnoticed-loss" | "silent"): SimulationOptions {
  const byzantine = what === "silent" ? [1, 2, 3].map((replica) => ({ replica, behaviour: what })) : [];
  const loss = { type: "lose-disk", atMs: 200, replica: 3, downMs: 5, isUnnoticed: true } as const;
  const small = {
    clients: 2,
    faultyClients: 0,
    operations: 15,
    safetyMs: 400,
    faults: byzantine.length > 0 ? [] : [loss],
  };
  return calmOptions(0, { ...small, byzantine });
}

describe("The simulate command", () => {
  it("runs seeds and tells their traces, which are those of any other process", () => {
    const { status, stdout } = simulate("--seeds", "3..4", "--json", "--jobs", "2", "--swarm", "--byzantine");

    const report = JSON.parse(stdout) as { seeds: number; failed: unknown[]; traceHashes: Record<string, string> };
    expect(status).to.equal(0);
    expect(report).to.include({ seeds: 2 });
    expect(report.failed).to.deep.equal([]);
    for (const seed of [3, 4])
      expect(report.traceHashes[seed], `seed ${seed}`).to.equal(new Simulation(optionsForSeed(seed)).run().traceHash);
  });

  it("prints how often what happened, and what never did", () => {
    const { status, stdout } = simulate("--seed", "1");

    expect(status).to.equal(0);
    expect(stdout).to.match(/^seed 1 passed: \d+ batches, \d+ steps, trace [0-9a-f]{64}$/m);
    expect(stdout).to.match(/^ +\d+ {2}network: frame lost$/m);
    expect(stdout).to.match(
      /^Not seen, and not expected of fewer than 200 seeds with --swarm and --byzantine:\n +0 {2}\w/m,
    );
    expect(stdout).to.not.contain("NEVER");
    expect(stdout).to.match(/^1 seeds, 0 failed; \d+ operations; [\d.]+ seeds a second, \d+ a minute;/m);
  });

  it("tells of seeds in their order, and runs those without swarms and liars that it is asked for", () => {
    const flags = ["--no-swarm", "--no-byzantine"];
    const { status, stdout } = simulate("--seed", "9", "--seed", "8", "--jobs", "2", ...flags);

    const plain = (seed: number): string =>
      new Simulation(optionsForSeed(seed, { isSwarm: false, isByzantine: false, changes: "drawn" })).run().traceHash;
    expect(status).to.equal(0);
    expect([...stdout.matchAll(/^seed (\d) passed: .* trace (\w+)$/gm)].map(([, ...found]) => found)).to.deep.equal([
      ["9", plain(9)],
      ["8", plain(8)],
    ]);
  });

  it("draws changes in every seed that it is asked for, and counts what came into force", () => {
    const { status, stdout } = simulate("--seeds", "4..5", "--changes", "always", "--no-swarm", "--no-byzantine");

    expect(status).to.equal(0);
    expect(stdout).to.match(/^2 seeds, 2 with changes; in force: joins \d+, leaves \d+, rotations \d+, rejoins \d+/m);
    const counts = /with changes; in force: (.*)$/m.exec(stdout)?.[1]?.match(/\d+/g) ?? [];
    expect(counts.reduce((sum, count) => sum + Number(count), 0)).to.be.greaterThan(0);
  });

  it("draws the picture of docs/protocol.md, as the command there says", () => {
    const root = resolve(fileURLToPath(import.meta.url), "../../..");
    const command = /`npm run simulate -- --svg run\.svg (.*?)`/.exec(
      readFileSync(join(root, "docs/protocol.md"), "utf8"),
    )?.[1];
    const folder = mkdtempSync(join(tmpdir(), "quorate-svg-"));
    try {
      const file = join(folder, "run.svg");
      const { status } = simulate("--svg", file, ...(command ?? "no command").split(" "));
      expect(status).to.equal(0);
      expect(
        readFileSync(file, "utf8") === readFileSync(join(root, "docs/view-change.svg"), "utf8"),
        "docs/view-change.svg is not what the command draws: draw it again, and look at it",
      ).to.equal(true);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("draws the run that its flags mean, and says which part", () => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-svg-"));
    const options = optionsForSeed(7, { isSwarm: false, isByzantine: false, changes: "drawn" });
    writeFileSync(join(folder, "options.json"), JSON.stringify(options));
    const draw = (...args: string[]): string => {
      const { status, stdout } = simulate("--svg", join(folder, "run.svg"), ...args);
      expect(status, args.join(" ")).to.equal(0);
      expect(stdout).to.match(
        /^drawn in .*run\.svg: \d+ to \d+ ms, (around the entrance of r\d into view \d+|the beginning)$/m,
      );
      return readFileSync(join(folder, "run.svg"), "utf8");
    };
    try {
      const plain = draw("--seed", "7", "--no-swarm", "--no-byzantine");
      expect(plain === drawRun({ run: options }).svg, "the run without swarm and liars").to.equal(true);
      expect(plain === draw("--options", join(folder, "options.json")), "the run of the options").to.equal(true);
      expect(plain === draw("--seed", "7"), "the whole seed").to.equal(false);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("says before the first run that it could not write what comes of it", () => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-no-folder-"));
    try {
      const file = join(folder, "file");
      writeFileSync(file, "");
      for (const args of [
        ["--seeds", "0..9999", "--save", file],
        ["--seeds", "0..9999", "--save", join(file, "saved")],
        ["--svg", join(folder, "missing", "run.svg")],
      ]) {
        const { status, stdout, stderr } = simulate(...args);
        expect(status, args.join(" ")).to.equal(2);
        expect(stdout).to.equal("");
        expect(stderr).to.contain(`${args.find((arg) => /^--s(ave|vg)$/.test(arg))}: cannot write into ${folder}`);
      }
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("makes the folder for what it saves when there is something to save, and not before", () => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-save-"));
    try {
      const { status } = simulate("--seed", "1", "--no-swarm", "--no-byzantine", "--save", join(folder, "not", "made"));

      expect(status).to.equal(0);
      expect(readdirSync(folder)).to.deep.equal([]);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("finds a folder above that it may not write to, without making anything", () => {
    const folder = mkdtempSync(join(tmpdir(), "quorate-read-only-"));
    chmodSync(folder, 0o555);
    const path = join(folder, "not", "made");
    // Nothing is refused to root.
    const script = `import { obstacleTo } from ${JSON.stringify(CHECK_FOLDER)};
      if (process.getuid?.() === 0) process.setuid(65534);
      console.log(obstacleTo(${JSON.stringify(path)}, { isMadeLater: true }));`;
    try {
      const { stdout } = spawnSync(process.execPath, ["--input-type=module", "-e", script], { encoding: "utf8" });

      expect(stdout).to.match(/^EACCES: .*quorate-read-only-/);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it("says what is wrong with its arguments", () => {
    for (const args of [
      ["--seeds", "9..3"],
      ["--seeds", "x"],
      ["--seed", "-1"],
      ["--jobs", "0"],
      ["--changes", "never"],
      ["--replay", "x", "--from", "9", "--to", "3"],
      ["--svg", "x", "--seed", "1", "--options", "y"],
    ]) {
      const { status, stderr } = simulate(...args);
      expect(status, args.join(" ")).to.equal(2);
      expect(stderr, args.join(" ")).to.match(/^Usage: npm run simulate/m);
    }
  });

  describe("of a run that fails", () => {
    let folder = "";
    let saved = "";
    let failed: Output;
    before(() => {
      folder = mkdtempSync(join(tmpdir(), "quorate-simulate-"));
      saved = join(folder, "saved");
      writeFileSync(join(folder, "options.json"), JSON.stringify(beyondTheModel("unnoticed-loss")));
      failed = simulate("--options", join(folder, "options.json"), "--save", saved);
    });
    after(() => rmSync(folder, { recursive: true, force: true }));

    it("prints the seed, how to repeat it, a line for each replica, what came last, and what it saved", () => {
      expect(failed.status).to.equal(1);
      expect(failed.stderr).to.match(/^seed 0 failed at [\d.]+ ms: InvariantViolation: /);
      for (const replica of ["0 primary", "1 backup", "2 backup", "3 backup"])
        expect(failed.stderr).to.match(new RegExp(`^ {2}${replica} v\\d+→\\d+ h\\d+ e\\d+ H\\d+ pending \\d+$`, "m"));
      expect(failed.stderr).to.match(/^ {2}\d+\.\d{3} r3 < r\d committed n\d+/m);
      expect(failed.stderr).to.match(/^repeat: save the options above as FILE/m);
      const files = [...failed.stderr.matchAll(/^step through it: npm run simulate -- --replay (.+)$/gm)];
      expect(files.map(([, file]) => file)).to.deep.equal(
        ["seed-0.cbor", "seed-0-replica-3.cbor"].map((name) => join(saved, name)),
      );
      expect(readdirSync(saved)).to.have.length(2);
    });

    it("steps through the whole of it", () => {
      const { status, stdout } = simulate("--replay", join(saved, "seed-0.cbor"));

      expect(status).to.equal(0);
      expect(stdout).to.match(/^seed 0, \d+ lines of a simulated cluster: seed 0 failed at /);
      expect(stdout).to.match(/^0\.000 r0 up at e0 h0$/m);
      expect(stdout).to.match(/\n\nfailed in the same way: seed 0 failed at .* replica\.own-commit-forgotten/);
    });

    it("steps through the replica whose invariant broke, event by event, or through a part of it", () => {
      const file = join(saved, "seed-0-replica-3.cbor");
      const whole = simulate("--replay", file);
      const part = simulate("--replay", file, "--from", "50", "--to", "200");

      expect(whole.status).to.equal(0);
      expect(whole.stdout).to.match(/^1 \+0 ms {2}start → broadcast status/m);
      expect(whole.stdout).to.match(/ r\d committed n\d+ [0-9a-f]{8} → !\n\nfailed in the same way: invariant replica/);
      const times = [...part.stdout.matchAll(/^\d+ \+(\d+) ms /gm)].map(([, ms]) => Number(ms));
      expect(times).to.not.be.empty;
      for (const ms of times) expect(ms).to.be.within(50, 200);
    });

    it("says from where on a saved run is another one by now", () => {
      const run = decodePlainValue(readFileSync(join(saved, "seed-0.cbor"))) as SavedRun;
      const lines = run.lines.map((line, i) => (i === 7 ? "7.000 as it was" : line));
      writeFileSync(join(folder, "older.cbor"), encodePlainValue({ ...run, lines }));
      const { status, stdout } = simulate("--replay", join(folder, "older.cbor"));

      expect(status).to.equal(1);
      expect(stdout).to.match(/It differs from line 8 on:\n {2}saved {2}7\.000 as it was\n/);
    });

    it("saves a run that only stops going on, too, and refuses files that are something else", () => {
      writeFileSync(join(folder, "silent.json"), JSON.stringify(beyondTheModel("silent")));
      const silent = simulate("--options", join(folder, "silent.json"), "--save", join(folder, "silent"));
      const other = simulate("--replay", join(folder, "silent.json"));

      expect(silent.status).to.equal(1);
      expect(silent.stderr).to.match(/^seed 0 failed at [\d.]+ ms: Error: liveness: /);
      expect(readdirSync(join(folder, "silent"))).to.deep.equal(["seed-0.cbor"]);
      expect(other.status).to.equal(2);
      expect(other.stderr).to.match(/silent\.json: this is no trace of a replica, expected CBOR/);
    });
  });
});
