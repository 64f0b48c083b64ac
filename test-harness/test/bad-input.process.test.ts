import { createHash } from "node:crypto";
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { FORMAT_VERSION } from "@quorate/protocol";
import { type Exit, freePortBase, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { parseAddress } from "@quorate/transport";
import { expect } from "chai";

/** The exit codes that the operator's guide documents. */
const FAILED = 1;
const USAGE = 2;
const REFUSED = 5;

const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);

describe("the quorate command, given what is wrong", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let other: ProcessCluster;
  /** A fresh copy of replica 0's data folder for each test. */
  let data: string;
  let servers: Server[] = [];
  before(async () => {
    cluster = await ProcessCluster.make();
    other = await ProcessCluster.make();
  });
  beforeEach(() => {
    data = join(cluster.path, "copy");
    rmSync(data, { recursive: true, force: true });
    cpSync(cluster.folder(0).path, data, { recursive: true });
  });
  afterEach(async () => {
    await RunningCommand.killAll();
    await release();
  });
  after(() => ProcessCluster.closeAll());

  const start = (): Promise<Exit> => quorate("start", "--data", data, "--log-level", "silent");
  const inData = (...names: string[]): string => join(data, ...names);

  /** One line of complaint that matches, this exit code, and not a byte of the folder changed. */
  async function refuses(run: () => Promise<Exit>, complaint: RegExp, code: number = FAILED): Promise<void> {
    const before = existsSync(data) ? contents(data) : undefined;
    const { code: actual, stdout, stderr } = await run();
    expect(stderr).to.match(complaint);
    expect(stderr.trimEnd().split("\n"), stderr).to.have.length(1);
    expect(stdout).to.equal("");
    expect(actual).to.equal(code);
    expect(existsSync(data) ? contents(data) : undefined).to.deep.equal(before);
  }

  /** As `refuses`, when the store was opened already: the same folder starts once the obstacle is gone. */
  async function refusesForNow(run: () => Promise<Exit>, complaint: RegExp): Promise<void> {
    const { code, stdout, stderr } = await run();
    expect(stderr).to.match(complaint);
    expect(stderr.trimEnd().split("\n"), stderr).to.have.length(1);
    expect([code, stdout]).to.deep.equal([FAILED, ""]);
    await release();
    const later = new RunningCommand(process.execPath, [QUORATE_COMMAND, "start", "--data", data]);
    await later.message("ready");
    later.signal("SIGTERM");
    expect((await later.exited).code).to.equal(0);
  }

  /** It starts, says why it is mute, and that is what its status says. */
  async function goesOnMute(reason: RegExp): Promise<void> {
    const muted = new RunningCommand(process.execPath, [QUORATE_COMMAND, "start", "--data", data]);
    await muted.message("ready");
    const { stdout } = await quorate("status", "--data", data);
    expect(stdout).to.match(/^0 .* mute \(0\/3 answers\) /m);
    expect(muted.output)
      .to.match(reason)
      .and.match(/mute: its disk was lost/);
    muted.signal("SIGTERM");
    expect((await muted.exited).code).to.equal(0);
  }

  describe("start", () => {
    it("says that a data folder is missing, and does not make it", async () => {
      rmSync(data, { recursive: true });

      await refuses(start, /no replica configuration at .*replica\.json: make the data folder with `quorate init/);
      expect(existsSync(data)).to.equal(false);
    });

    describe("with a folder that was changed", () => {
      /** Some at a time, each on a folder of its own: a test for each, and the time of a few for all. */
      let refusals: readonly Refusal[] = [];
      before(async () => {
        const tasks = spoiled().map(({ spoil }, index) => async (): Promise<Refusal> => {
          const folder = join(cluster.path, `spoiled-${index}`);
          cpSync(cluster.folder(0).path, folder, { recursive: true });
          spoil(folder);
          const before = contents(folder);
          const exit = await quorate("start", "--data", folder, "--log-level", "silent");
          return { exit, before, after: contents(folder) };
        });
        refusals = await inLanes(tasks);
      });

      for (const [index, { title, complaint }] of spoiled().entries())
        it(title, () => {
          const { exit, before, after } = refusals[index] as Refusal;

          expect(exit.stderr).to.match(complaint);
          expect(exit.stderr.trimEnd().split("\n"), exit.stderr).to.have.length(1);
          expect([exit.code, exit.stdout]).to.deep.equal([FAILED, ""]);
          expect(after).to.deep.equal(before);
        });

      function spoiled(): readonly Spoiled[] {
        const foreign =
          "store: expected the store of the replica whose first key is [0-9a-f]+…, of cluster [0-9a-f]+…, found that of the";
        return [
          ...["replica.json", "genesis.json", "key.json"].flatMap(spoiledDocument),
          {
            title: "names what is inconsistent in genesis",
            spoil: (folder) => edit(folder, "genesis.json", { windowSize: 100 }),
            complaint: /genesis\.json: windowSize is 100, expected a multiple of checkpointInterval 128/,
          },
          {
            title: "refuses the genesis of another cluster",
            spoil: (folder) => copyFileSync(other.genesisPath, join(folder, "genesis.json")),
            complaint: new RegExp(`${foreign} one of key`),
          },
          {
            title: "refuses a genesis with the same members that is another cluster's all the same",
            spoil: (folder) => edit(folder, "genesis.json", { name: "renamed" }),
            complaint: new RegExp(`${foreign} one of key`),
          },
          {
            title: "refuses another replica's key",
            spoil: (folder) => copyFileSync(join(cluster.folder(1).path, "key.json"), join(folder, "key.json")),
            complaint:
              /the private key is that of replica 1, the folder that of the replica whose first key is [0-9a-f]{64}/,
          },
          {
            title: "refuses a private key that is not of the public key beside it",
            spoil: (folder) => edit(folder, "key.json", { seed: "ab".repeat(32) }),
            complaint: /the private key does not belong to the public key beside it; restore the key file/,
          },
          {
            title: "refuses another replica's store",
            spoil: (folder) => {
              rmSync(join(folder, "store"), { recursive: true });
              cpSync(join(cluster.folder(1).path, "store"), join(folder, "store"), { recursive: true });
            },
            complaint: new RegExp(`${foreign} one of key`),
          },
          {
            title: "refuses a store of another program",
            spoil: (folder) => writeFileSync(join(folder, "store", "data.mdb"), "not ours at all"),
            complaint: /store: expected an LMDB store, found another file/,
          },
        ];
      }

      function spoiledDocument(name: string): readonly Spoiled[] {
        const tooMany = name === "key.json" ? " has a field that is not one of" : ": colour is not a field of";
        return [
          {
            title: `says that ${name} is missing`,
            spoil: (folder) => rmSync(join(folder, name)),
            complaint: new RegExp(`no .* at .*${name}: make the data folder with`),
          },
          {
            title: `says that ${name} is no JSON, and never what is in it`,
            spoil: (folder) => writeFileSync(join(folder, name), `{"seed": "${"5ec4e7".repeat(8)}`),
            complaint: new RegExp(`^quorate: .*${name} is not JSON; restore it or make it again$`, "m"),
          },
          {
            title: `says that ${name} is of another format version`,
            spoil: (folder) => edit(folder, name, { formatVersion: 1 }),
            complaint: new RegExp(
              `${name} has format version 1, this program speaks ${FORMAT_VERSION}; use the version that`,
            ),
          },
          {
            title: `says that ${name} has a field too many, and which one unless that might be the secret`,
            spoil: (folder) => edit(folder, name, { colour: "green" }),
            complaint: new RegExp(`${name}${tooMany} this document`),
          },
          {
            title: `says that ${name} cannot be read`,
            spoil: (folder) => {
              rmSync(join(folder, name));
              mkdirSync(join(folder, name));
            },
            complaint: new RegExp(`cannot read .*${name} \\(EISDIR\\)`),
          },
        ];
      }
    });

    it("goes on mute with a store without its log, rather than to forget what was promised", async () => {
      rmSync(inData("store", "log"), { recursive: true });
      await goesOnMute(/store\/log is damaged: the folder is not there/);
      expect(existsSync(inData("store.lost-1", "data.mdb")), "the damaged one is kept").to.equal(true);
    });

    it("goes on mute with a store that is empty, rather than to forget what was promised", async () => {
      for (const name of readdirSync(inData("store"))) rmSync(inData("store", name), { recursive: true });
      await goesOnMute(/store holds no store: expected data\.mdb/);
    });

    it("goes on mute with a store that is gone, and again after that", async () => {
      rmSync(inData("store"), { recursive: true });
      await goesOnMute(/store holds no store: expected data\.mdb/);
      await goesOnMute(/mute: its disk was lost/);
      rmSync(inData("store"), { recursive: true });
      await goesOnMute(/store holds no store: expected data\.mdb/);
    });

    it("says that the port is in use", async () => {
      await occupy(cluster.folder(0).config.listen);
      await refusesForNow(
        start,
        /cannot listen on 127\.0\.0\.1:\d+: another process uses that port; stop it or choose/,
      );
    });

    it("says that the admin port is in use", async () => {
      await occupy(cluster.folder(0).config.admin);
      await refusesForNow(
        start,
        /cannot answer status on 127\.0\.0\.1:\d+: another process uses that port; choose another/,
      );
    });

    it("says that this machine does not have the address", async () => {
      const run = (): Promise<Exit> => quorate("start", "--data", data, "--listen", "203.0.113.7:7000");
      await refusesForNow(run, /cannot listen on 203\.0\.113\.7:7000: this machine has no such address/);
    });

    it("says that an address is none", async () => {
      const run = (): Promise<Exit> => quorate("start", "--data", data, "--listen", "everywhere");
      await refuses(run, /"everywhere" is not an address, expected host:port, or \[IPv6\]:port/);
    });

    it("answers status where it is told to", async () => {
      const admin = `127.0.0.1:${await freePortBase(1)}`;
      const replica = new RunningCommand(process.execPath, [
        QUORATE_COMMAND,
        "start",
        "--data",
        data,
        "--admin",
        admin,
      ]);
      await replica.message("ready");

      const status = (await (await fetch(`http://${admin}/status`)).json()) as { replica: number };
      expect(status.replica).to.equal(0);
      replica.signal("SIGTERM");
      expect((await replica.exited).code).to.equal(0);
    });

    it("says that others dial what genesis says, not what is advertised", async () => {
      const run = (): Promise<Exit> => quorate("start", "--data", data, "--advertise", "10.0.0.1:7000");
      await refuses(run, /the members know replica 0 at 127\.0\.0\.1:\d+, not at 10\.0\.0\.1:7000/);
    });

    it("refuses a folder that another process uses, which goes on", async () => {
      const first = new RunningCommand(process.execPath, [
        QUORATE_COMMAND,
        "start",
        "--data",
        data,
        "--log-level",
        "silent",
      ]);
      await first.message("ready");

      const { code, stderr } = await start();

      expect(stderr).to.match(
        new RegExp(`^quorate: \\S+ is in use by process ${first.pid}: stop that process or choose another folder\n$`),
      );
      expect(code).to.equal(FAILED);
      expect(first.isRunning).to.equal(true);
      first.signal("SIGTERM");
      expect((await first.exited).code).to.equal(0);
    });
  });

  describe("init", () => {
    const init = (...args: string[]): Promise<Exit> =>
      quorate("init", "--genesis", cluster.genesisPath, "--key", join(cluster.folder(0).path, "key.json"), ...args);

    it("makes a folder only once", async () => {
      await refuses(() => init("--data", data), /is a data folder already: start it, or choose another folder/);
    });

    it("makes the store of a folder anew when its disk is lost, and keeps the old one", async () => {
      const { code, stdout } = await init("--data", data, "--lost-disk");
      expect(stdout).to.match(/it starts mute, for its disk was lost$/m);
      expect(code).to.equal(0);
      expect(existsSync(inData("store.lost-1", "data.mdb"))).to.equal(true);
      await goesOnMute(/mute: its disk was lost/);
    });

    it("replaces no disk under a replica that still runs, though the lock has gone with it", async () => {
      const first = new RunningCommand(process.execPath, [QUORATE_COMMAND, "start", "--data", data]);
      await first.message("ready");
      for (const name of readdirSync(data).filter((entry) => entry.startsWith("lock."))) rmSync(inData(name));

      const { code, stderr } = await init("--data", data, "--lost-disk");

      expect(stderr).to.match(
        /^quorate: some process listens on 127\.0\.0\.1:\d+, which is where the replica of .* does: stop it first/,
      );
      expect([code, existsSync(inData("store.lost-1"))]).to.deep.equal([FAILED, false]);
      first.signal("SIGTERM");
      expect((await first.exited).code).to.equal(0);
    });

    it("replaces no disk under a replica that still runs, though its whole folder is gone", async () => {
      const first = new RunningCommand(process.execPath, [QUORATE_COMMAND, "start", "--data", data]);
      await first.message("ready");
      rmSync(data, { recursive: true });

      await refuses(
        () => init("--data", data, "--lost-disk"),
        /^quorate: some process listens on 127\.0\.0\.1:\d+, which is where replica 0 does: stop it first, .*; if it is another program, give --listen and --admin as they were$/m,
      );
      expect(existsSync(data)).to.equal(false);
      await first.kill();
      expect((await init("--data", data, "--lost-disk")).code).to.equal(0);
    });

    for (const [what, lost] of [
      ["as its lock says", []],
      ["as its lock says without its configuration", ["replica.json"]],
    ] as const)
      it(`replaces no disk under a replica that still runs, ${what}`, async () => {
        const first = new RunningCommand(process.execPath, [QUORATE_COMMAND, "start", "--data", data]);
        await first.message("ready");
        for (const name of lost) rmSync(inData(name));

        const { code, stderr } = await init("--data", data, "--lost-disk");

        expect(stderr).to.match(
          new RegExp(`^quorate: \\S+ is in use by process ${first.pid}: stop that process .*\n$`),
        );
        expect([code, existsSync(inData("store.lost-1"))]).to.deep.equal([FAILED, false]);
        first.signal("SIGTERM");
        expect((await first.exited).code).to.equal(0);
      });

    it("replaces no disk while somebody listens where it is told that the replica does, with its configuration and without", async () => {
      const free = await freePortBase(1);
      const elsewhere = `127.0.0.1:${free}`;
      const admin = `127.0.0.1:${free + 1000}`;
      await occupy(elsewhere);
      for (const flags of [
        ["--listen", elsewhere],
        ["--admin", elsewhere],
      ]) {
        const lost = (folder: string): Promise<Exit> => init("--data", folder, "--lost-disk", ...flags);
        await refuses(
          () => lost(data),
          new RegExp(`some process listens on ${elsewhere}, which is where the replica of`),
        );
        await refuses(
          () => lost(inData("new")),
          new RegExp(`some process listens on ${elsewhere}, which is where rep`),
        );
      }
      await release();

      // Whoever is at the address in genesis is in front of a replica that listens elsewhere.
      await occupy(cluster.folder(0).config.listen);
      const { code, stderr } = await init(
        "--data",
        inData("new"),
        "--lost-disk",
        "--listen",
        elsewhere,
        "--admin",
        admin,
      );
      expect([code, stderr]).to.deep.equal([0, ""]);
    });

    it("makes a folder from what is left of it when its disk is lost", async () => {
      for (const name of ["replica.json", "store"]) rmSync(inData(name), { recursive: true });
      expect((await init("--data", data, "--lost-disk")).code).to.equal(0);
      await goesOnMute(/mute: its disk was lost/);
    });

    it("makes no store anew in another's folder", async () => {
      const path = other.folder(0).path;
      const { code, stderr } = await init("--data", path, "--lost-disk");
      expect(stderr).to.match(
        /is the data folder of a replica of cluster [0-9a-f]{64} with key [0-9a-f]{64}, this is another genesis or key/,
      );
      expect([code, existsSync(join(path, "store.lost-1"))]).to.deep.equal([FAILED, false]);
    });

    it("refuses a key that no member has", async () => {
      const key = join(other.folder(0).path, "key.json");
      const run = (): Promise<Exit> =>
        quorate("init", "--genesis", cluster.genesisPath, "--key", key, "--data", inData("new"));
      await refuses(run, /no member of this genesis has the key [0-9a-f]{64}; use the key that was given to/);
    });

    it("refuses an id that is not the key's", async () => {
      await refuses(() => init("--data", inData("new"), "--replica", "2"), /replica 2 has key/);
    });

    it("refuses an id that is nobody's", async () => {
      await refuses(() => init("--data", inData("new"), "--replica", "9"), /replica 9 is not a member of this genesis/);
    });

    it("says that the genesis document is missing", async () => {
      const run = (): Promise<Exit> =>
        quorate("init", "--genesis", inData("nowhere"), "--key", inData("key.json"), "--data", inData("new"));
      await refuses(run, /no genesis document at .*nowhere: make one with `quorate genesis`/);
    });

    it("says that a folder cannot be made where a file is", async () => {
      await refuses(
        () => init("--data", inData("key.json")),
        /cannot make the folder .*key\.json \(EEXIST\); choose another/,
      );
    });
  });

  describe("genesis and keygen", () => {
    const key = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
    const members = (n: number, keyOf: (id: number) => string = (id) => memberKey(id)): string[] =>
      Array.from({ length: n }, (_, id) => ["--member", `${id}=${keyOf(id)}@10.0.0.${id}:7000`]).flat();
    const memberKey = (id: number): string => cluster.member(id % 4).publicKey;
    const genesis = (...args: string[]): Promise<Exit> =>
      quorate("genesis", "--out", inData("out.json"), "--admin", key, ...args);

    it("refuses fewer than four members", async () => {
      await refuses(() => genesis(...members(3)), /a Byzantine cluster has 4 to \d+ members, this genesis names 3/);
    });

    it("refuses one key for two members", async () => {
      await refuses(() => genesis(...members(5)), /two members share the publicKey [0-9a-f]{64}; each needs its own/);
    });

    it("refuses a key that proves nothing", async () => {
      const degenerate = (id: number): string => (id === 2 ? "00".repeat(32) : memberKey(id));
      await refuses(() => genesis(...members(4, degenerate)), /key/);
    });

    it("writes the time-outs of view changes, and refuses one that is to end below its beginning", async () => {
      const timeouts = ["--view-change-ms", "300", "--view-change-max-ms"];
      await refuses(
        () => genesis(...members(4), ...timeouts, "200"),
        /viewChangeMaxMs is 200, expected at least viewChangeMs 300/,
      );
      const { code, stderr } = await genesis(...members(4), ...timeouts, "4000");
      expect(stderr).to.equal("");
      expect(code).to.equal(0);
      const document = JSON.parse(readFileSync(inData("out.json"), "utf8")) as { timeouts: object };
      expect(document.timeouts).to.include({ viewChangeMs: 300, viewChangeMaxMs: 4000 });
    });

    it("never overwrites a genesis document or a key", async () => {
      writeFileSync(inData("out.json"), "precious");
      await refuses(() => genesis(...members(4)), /out\.json exists already; it is not overwritten/);
      await refuses(() => quorate("keygen", "--out", inData("out.json")), /out\.json exists already; it is not/);
    });

    it("says that a folder is not there", async () => {
      await refuses(
        () => quorate("keygen", "--out", inData("no/such/key.json")),
        /cannot write .*key\.json \(ENOENT\)/,
      );
    });
  });

  describe("cluster, status and kv", () => {
    it("refuses to take the data folder of one replica for a cluster", async () => {
      await refuses(() => quorate("cluster", "--data", data), /is the data folder of one replica, not of a cluster/);
    });

    it("refuses to make a cluster in a folder that holds something else, or in a file", async () => {
      await refuses(() => quorate("cluster", "--data", inData("store")), /is not empty and holds no cluster/);
      await refuses(() => quorate("cluster", "--data", inData("key.json")), /is not a folder; choose another --data/);
    });

    it("refuses the folder of a cluster where that of one replica is meant, and names both ways on", async () => {
      const run = (): Promise<Exit> => quorate("start", "--data", cluster.path);
      await refuses(
        run,
        /is the folder of a whole cluster: `quorate cluster --data \S+` runs all of it, `quorate start --data \S+replica-0`/,
      );
    });

    it("refuses fewer than four replicas", async () => {
      await refuses(
        () => quorate("cluster", "--data", inData("c"), "--replicas", "3"),
        /a cluster has 4 to \d+ replicas/,
      );
    });

    it("refuses ports above the last one", async () => {
      const run = (): Promise<Exit> => quorate("cluster", "--data", inData("c"), "--port-base", "64533");
      await refuses(run, /4 replicas from port 64533 need ports up to 65536; choose a --port-base of at most 64532/);
    });

    it("says that there is no cluster to ask", async () => {
      await refuses(() => quorate("status", "--data", inData("c")), /no cluster at .*genesis\.json: start one with/);
      await refuses(
        () => quorate("kv", "get", "x", "--data", inData("c")),
        /no genesis document at .*: start a cluster/,
      );
    });

    it("says that a client's key file is missing", async () => {
      const run = (): Promise<Exit> =>
        quorate("kv", "get", "x", "--genesis", cluster.genesisPath, "--key", inData("k"));
      await refuses(run, /no key file at .*: make one with `quorate keygen --out FILE`/);
    });

    it("says that a key file is none, what was expected and what to do, never what is in it", async () => {
      const complaint =
        /^quorate: \S+ is no key file: expected what `quorate keygen` writes, JSON with formatVersion, type, publicKey and seed; make one with `quorate keygen --out FILE`\n$/;
      for (const text of ["5ec4e7".repeat(8), '{"seed": 5}', readFileSync(cluster.genesisPath, "utf8")]) {
        writeFileSync(inData("k"), text);
        const key = ["--genesis", cluster.genesisPath, "--key", inData("k")];
        await refuses(() => quorate("kv", "get", "x", ...key), complaint);
        await refuses(() => quorate("init", "--data", inData("new"), ...key), complaint);
      }
    });

    it("says that the halves of a client's key file do not belong together", async () => {
      edit(data, "key.json", { seed: "ab".repeat(32) });
      const run = (): Promise<Exit> =>
        quorate("kv", "get", "x", "--genesis", cluster.genesisPath, "--key", inData("key.json"));
      await refuses(run, /key\.json: the private key does not belong to the public key beside it; restore the file/);
    });

    it("says in one line what is wrong with an operation that has no encoding, as if the service had refused it", async () => {
      const kv = (...args: string[]): Promise<Exit> => quorate("kv", ...args, "--genesis", cluster.genesisPath);
      await refuses(() => kv("incr", "n", "9".repeat(20)), /9{20} does not fit a signed 64-bit integer/, REFUSED);
      await refuses(() => kv("range", "--limit", "4294967296"), /the limit of a range is 4294967296/, REFUSED);
    });
  });

  describe("the command line", () => {
    const cases: readonly (readonly [title: string, args: readonly string[], complaint: RegExp])[] = [
      ["an unknown command", ["strat"], /unknown command 'strat'/],
      ["an unknown flag", ["status", "--jsno"], /unknown option '--jsno'/],
      ["a flag without its value", ["start", "--data"], /argument missing/],
      ["a flag that is required", ["start"], /required option '--data <dir>' not specified/],
      ["an argument that is required", ["kv", "get"], /missing required argument 'key'/],
      ["too many arguments", ["kv", "get", "a", "b"], /too many arguments/],
      ["a level that is none", ["start", "--data", "x", "--log-level", "loud"], /'loud' is invalid/],
      ["a port that is none", ["cluster", "--port-base", "70000"], /expected a port from 1 to 65535/],
      ["a number that is none", ["kv", "range", "--limit", "many"], /expected a whole number/],
      ["a sum that is none", ["kv", "incr", "n", "many"], /expected a whole number, got many/],
      ["a member that is none", ["genesis", "--member", "0=abc@x:1"], /expected id=publickey@host:port/],
      ["a key that is none", ["genesis", "--admin", "abc"], /expected a public key: 64 lower-case hex digits/],
      [
        "two flags of which only one can hold",
        ["kv", "get", "x", "--data", "a", "--genesis", "b"],
        /option '--genesis <file>' cannot be used with option '--data <dir>'/,
      ],
      ["a path that is empty", ["status", "--data", ""], /argument '' is invalid\. expected a path, this is empty/],
      ["a limit that is none", ["genesis", "--limit", "speed=1"], /expected name=integer, name one of/],
    ];
    // Some at a time: a test of its own for each, and the time of a few for all.
    let exits: Exit[] = [];
    before(async () => {
      exits = await inLanes(
        cases.map(
          ([, args]) =>
            () =>
              quorate(...args),
        ),
      );
    });
    for (const [index, [title, , complaint]] of cases.entries())
      it(`answers ${title} with what was expected and exit code 2`, () => {
        const { code, stdout, stderr } = exits[index] as Exit;

        expect(stderr).to.match(complaint);
        expect(stderr).to.match(/--help/);
        expect(stdout).to.equal("");
        expect(code).to.equal(USAGE);
      });
  });

  async function release(): Promise<void> {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    servers = [];
  }

  async function occupy(address: string): Promise<void> {
    const { host, port } = parseAddress(address);
    const server = createServer((socket) => socket.destroy());
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
  }
});

/** What was changed in a data folder, and what its start says then. */
interface Spoiled {
  readonly title: string;
  readonly spoil: (folder: string) => void;
  readonly complaint: RegExp;
}

/** How a start ended, and what was in its folder before and after. */
interface Refusal {
  readonly exit: Exit;
  readonly before: Record<string, string>;
  readonly after: Record<string, string>;
}

const LANES = 4;

/** Runs some of the tasks at a time; the results are in their order. */
async function inLanes<T>(tasks: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  const waiting = tasks.entries();
  const lane = async (): Promise<void> => {
    for (const [index, task] of waiting) results[index] = await task();
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return results;
}

function edit(folder: string, name: string, change: Record<string, unknown>): void {
  const file = join(folder, name);
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, "utf8")), ...change }));
}

/** Every file of a folder with the digest of its bytes; but for who reads the store now, which is no data. */
function contents(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.isFile() && entry.name !== "lock.mdb",
  );
  return Object.fromEntries(
    entries
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, createHash("sha256").update(readFileSync(path)).digest("hex")]),
  );
}
