import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const REPLICAS = 4;
const IDS = [0, 1, 2, 3] as const;

describe("a deployment by hand, over IPv6, with a closed list of clients", function () {
  this.timeout(120_000);
  let path: string;
  let base: number;
  const replicas: RunningCommand[] = [];
  const inPath = (name: string): string => join(path, name);
  const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);

  /** What a script does: takes what is printed. */
  async function printed(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await quorate(...args);
    expect([code, stderr], args.join(" ")).to.deep.equal([0, ""]);
    return stdout.trimEnd();
  }

  before(async () => {
    path = mkdtempSync(join(tmpdir(), "quorate-deployment-"));
    base = await freePortBase(REPLICAS);
    // Each key is made on the host that uses it; only what is printed goes to whoever writes genesis.
    const keygen = (name: string): Promise<string> => printed("keygen", "--out", inPath(`${name}.key.json`));
    const [admin = "", listed = "", ...keys] = await Promise.all(
      ["admin", "alice", ...IDS.map((id) => `host-${id}`), "mallory"].map(keygen),
    );
    const members = IDS.flatMap((id) => ["--member", `${id}=${keys[id]}@[::1]:${base + id}`]);
    const out = ["--out", inPath("genesis.json"), "--admin", admin, "--client", listed];
    const cluster = await printed("genesis", ...out, ...members, "--checkpoint-interval", "16", "--window-size", "64");
    expect(cluster).to.match(/^[0-9a-f]{64}$/);
    const makeAndStart = async (id: number): Promise<void> => {
      const key = ["--key", inPath(`host-${id}.key.json`)];
      const made = await printed(
        ...["init", "--genesis", inPath("genesis.json"), ...key, "--data", inPath(`host-${id}`)],
        "--json",
      );
      expect(JSON.parse(made)).to.include({ cluster, replica: id, listen: `[::1]:${base + id}` });
      // Apart: on all addresses of the host it listens, one of them is what the others dial.
      const advertised = ["--advertise", `[::1]:${base + id}`, "--listen", `[::]:${base + id}`];
      const args = [QUORATE_COMMAND, "start", "--data", inPath(`host-${id}`), ...advertised, "--log-level", "error"];
      replicas[id] = new RunningCommand(process.execPath, args);
    };
    await Promise.all(IDS.map(makeAndStart));
    await Promise.all(replicas.map((replica) => replica.message("ready")));
  });
  after(async () => {
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  });

  const kv = (name: string, ...args: string[]): Promise<Exit> =>
    quorate("kv", name, "--genesis", inPath("genesis.json"), "--key", inPath("alice.key.json"), ...args);

  async function answers(args: readonly [string, ...string[]], code: number, stdout: string): Promise<void> {
    const exit = await kv(...args);
    expect([exit.code, exit.stdout, exit.stderr], args.join(" ")).to.deep.equal([code, stdout, ""]);
  }

  it("keeps the private key for its owner alone, in the file of keygen and in the data folder", () => {
    for (const file of ["host-0.key.json", "alice.key.json", "host-0/key.json", "host-3/key.json"])
      expect(statSync(inPath(file)).mode & 0o777, file).to.equal(0o600);
    const { seed } = JSON.parse(readFileSync(inPath("host-0.key.json"), "utf8"));
    expect(readFileSync(inPath("genesis.json"), "utf8")).to.not.contain(seed);
  });

  it("puts, gets, deletes and counts, with exit codes that tell what came out", async () => {
    await answers(["get", "greeting"], 4, "");
    await answers(["put", "greeting", "hello"], 0, "created\n");
    await answers(["put", "greeting", "grüß dich"], 0, "replaced\n");
    await answers(["get", "greeting"], 0, "grüß dich\n");
    await answers(["delete", "greeting"], 0, "deleted\n");
    await answers(["delete", "greeting"], 4, "absent\n");
    await answers(["incr", "visits"], 0, "1\n");
    await answers(["incr", "visits", "41"], 0, "42\n");
    await answers(["incr", "visits", "--", "-50"], 0, "-8\n");
  });

  it("says the same as JSON", async () => {
    const json = async (name: string, ...args: string[]): Promise<unknown> =>
      JSON.parse((await kv(name, ...args, "--json")).stdout);

    expect(await json("get", "nothing")).to.deep.equal({ key: "nothing", value: null });
    expect(await json("put", "j", "1")).to.deep.equal({ key: "j", replaced: false });
    expect(await json("get", "j")).to.deep.equal({ key: "j", value: "1" });
    expect(await json("incr", "n", "9223372036854775807")).to.deep.equal({ key: "n", value: "9223372036854775807" });
    expect(await json("cas", "j", "--expect", "2", "--next", "3")).to.deep.equal({
      key: "j",
      swapped: false,
      value: "1",
    });
    expect(await json("delete", "j")).to.deep.equal({ key: "j", deleted: true });
    expect(await json("range", "n", "o")).to.deep.equal({
      entries: [{ key: "n", value: "9223372036854775807" }],
      next: null,
    });
  });

  it("swaps only what is expected, and says what is there with exit code 5", async () => {
    await answers(["cas", "lock", "--next", "alice"], 0, "swapped: alice\n");
    await answers(["cas", "lock", "--next", "bob"], 5, "not swapped: alice\n");
    await answers(["cas", "lock", "--expect", "alice"], 0, "swapped\n");
    await answers(["get", "lock"], 4, "");
  });

  it("lists a range in order, page by page", async () => {
    await Promise.all(["user/b", "user/a", "user/c", "userx"].map((key) => kv("put", key, key.toUpperCase())));

    await answers(["range", "user/", "user0"], 0, "user/a\tUSER/A\nuser/b\tUSER/B\nuser/c\tUSER/C\n");
    const page = await kv("range", "user/b", "user0", "--limit", "1");
    expect([page.code, page.stdout]).to.deep.equal([0, "user/b\tUSER/B\n"]);
    expect(page.stderr, "says how to go on").to.include("-- user/c user0");
    const { next } = JSON.parse((await kv("range", "user/", "user0", "--limit", "2", "--json")).stdout);
    expect(next).to.equal("user/c");
  });

  it("says in one line what the service refuses, with exit code 5", async () => {
    await kv("put", "word", "hello");

    const { code, stdout, stderr } = await kv("incr", "word");

    expect(stderr).to.match(/^quorate: [^\n]+\n$/);
    expect([code, stdout]).to.deep.equal([5, ""]);
  });

  it("turns a client away that is not on the list, at once and not at the deadline", async () => {
    const timeoutMs = 60_000;
    const startedMs = performance.now();

    const { code, stdout, stderr } = await quorate(
      ...["kv", "put", "x", "1", "--genesis", inPath("genesis.json"), "--key", inPath("mallory.key.json")],
      ...["--deadline", `${timeoutMs}`],
    );

    expect(stderr).to.match(/^quorate: this client's key is not among those that the cluster serves; ask its admin/);
    expect(stderr.trimEnd().split("\n")).to.have.length(1);
    expect([code, stdout]).to.deep.equal([1, ""]);
    expect(performance.now() - startedMs).to.be.below(timeoutMs / 2);
  });

  it("tells a client at once that its genesis document is of another cluster", async () => {
    const genesis = JSON.parse(readFileSync(inPath("genesis.json"), "utf8"));
    writeFileSync(inPath("other.json"), JSON.stringify({ ...genesis, name: "another" }));

    const { code, stderr } = await quorate(
      ...["kv", "get", "x", "--genesis", inPath("other.json"), "--key", inPath("alice.key.json")],
      ...["--deadline", "60000"],
    );

    expect(stderr).to.match(/^quorate: the replicas at the addresses of this genesis document belong to another/);
    expect(code).to.equal(1);
  });

  it("shows where one replica stands, as a table and as JSON", async () => {
    const table = await quorate("status", "--data", inPath("host-1"));
    expect(table.stdout).to.match(/REPLICA +PID +ROLE +VIEW +TIME-OUT +EXECUTED/);
    const { pid } = replicas[1] ?? {};
    expect(table.stdout).to.match(new RegExp(`1 +${pid} +backup +0 +2s +\\d+ +\\(\\d+, \\d+\\] +0 +3/3`));
    expect(table.code).to.equal(0);

    const [row] = JSON.parse((await quorate("status", "--data", inPath("host-0"), "--json")).stdout);
    expect(row).to.include({ replica: 0, pid: replicas[0]?.pid, role: "primary", durability: "sync" });
  });

  it("says that nobody answers when all replicas are gone, each with its reason, and exit code 3", async () => {
    for (const replica of replicas) replica.signal("SIGTERM");
    for (const replica of replicas) expect((await replica.exited).code).to.equal(0);

    const { code, stderr } = await kv("get", "x", "--deadline", "1500");

    expect(stderr).to.match(/^quorate: no 2 members agreed on a result in time .* the operation was never sent/);
    for (const id of IDS) expect(stderr).to.match(new RegExp(`replica ${id}: nobody listens there`));
    expect(stderr).to.match(/; are its replicas running, and to be reached at the addresses in \S+genesis\.json\?\n$/);
    expect(stderr.trimEnd().split("\n")).to.have.length(1);
    expect(code).to.equal(3);
    expect((await quorate("status", "--data", inPath("host-0"))).code).to.equal(3);
  });
});

describe("the help of the quorate command", function () {
  this.timeout(120_000);
  after(() => RunningCommand.killAll());

  // What the help of each command says is looked at without a process of its own (packages/quorate/test/commands.test.ts).
  for (const words of [[], ["kv"], ["kv", "get"]])
    it(`is printed for ${["quorate", ...words].join(" ")}, with an example`, async () => {
      const { code, stdout, stderr } = await RunningCommand.quorate([...words, "--help"]);

      expect([code, stderr]).to.deep.equal([0, ""]);
      expect(stdout).to.match(/Example:\n {2}(npx )?(quorate|npm)/);
    });
});
