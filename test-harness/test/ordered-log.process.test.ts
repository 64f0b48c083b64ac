import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { sequenceNumber } from "@quorate/protocol";
import { openStore } from "@quorate/storage";
import { type Exit, ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const INTERVAL = 8;
/** More than a page of the admin endpoint has. */
const OPERATIONS = 140;

const quorate = (...args: string[]): Promise<Exit> => RunningCommand.quorate(args);

interface Entry {
  readonly seq: number;
  readonly state: string;
  readonly view: number;
  readonly digest: string;
  readonly requests: readonly { readonly type: string; readonly operations?: readonly string[] }[];
  readonly signedBy: readonly number[];
  readonly heldBy: readonly number[];
}
interface Page {
  readonly items: readonly { readonly seq: number }[];
  readonly next?: number;
}
interface Summary {
  readonly entries: number;
  readonly problems: number;
  readonly first: number;
  readonly last: number;
}

describe("the ordered log and the data folder of replicas", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let running: readonly Entry[];

  before(async () => {
    cluster = await ProcessCluster.start({ checkpointInterval: INTERVAL, windowSize: 2 * INTERVAL });
    const { store } = await cluster.connect();
    for (let i = 0; i < OPERATIONS; i++) await store.increment("counter");
    await cluster.settled();
  });
  after(async () => {
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });

  async function log(...args: string[]): Promise<{ readonly entries: readonly Entry[]; readonly summary: Summary }> {
    const { code, stdout, stderr } = await quorate("log", ...args, "--json");
    expect([code, stderr], args.join(" ")).to.deep.equal([0, ""]);
    const lines = stdout.trimEnd().split("\n");
    const [summary, ...entries] = lines.reverse().map((line) => JSON.parse(line));
    return { entries: entries.reverse(), summary };
  }

  function contentOf(path: string): Record<string, string> {
    const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    return Object.fromEntries(
      files
        .map(({ parentPath, name }) => join(parentPath, name))
        .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
    );
  }

  it("is told by a running replica, number by number, proven, with its requests", async () => {
    const { entries, summary } = await log(cluster.folder(0).path);
    running = entries;

    expect(entries.length).to.be.greaterThan(OPERATIONS);
    expect(summary).to.include({ entries: entries.length, problems: 0, first: 1, last: entries.length });
    for (const [i, { seq, state, view, digest, signedBy, heldBy }] of entries.entries()) {
      expect([seq, state, view, heldBy]).to.deep.equal([i + 1, "committed", 0, [0]]);
      expect(digest).to.match(/^[0-9a-f]{64}$/);
      expect(signedBy).to.have.length(3);
    }
    const operations = entries.flatMap(({ requests }) => requests.flatMap((request) => request.operations ?? []));
    expect(operations).to.have.length(OPERATIONS);
    expect(Buffer.from(operations[0] ?? "", "hex").toString()).to.contain("counter");
  });

  it("is the same at every replica", async () => {
    const { entries } = await log(cluster.path, "--from", "2", "--limit", "150");

    expect(entries.map(({ seq, digest }) => [seq, digest])).to.deep.equal(
      running.slice(1, 151).map(({ seq, digest }) => [seq, digest]),
    );
    for (const { heldBy } of entries) expect(heldBy).to.deep.equal([0, 1, 2, 3]);
  });

  it("is asked for at the admin port by number, page by page, and by nothing else", async () => {
    const { admin } = cluster.folder(0).config;
    const pageAt = async (query: string): Promise<Page> =>
      (await (await fetch(`http://${admin}/log${query}`)).json()) as Page;

    const page = await pageAt("?from=2&to=3");
    expect(page).to.include({ replica: 0, first: 1 }).and.not.have.property("next");
    expect(page.items.map(({ seq }) => seq)).to.deep.equal([2, 3]);

    const whole = await pageAt("");
    expect([whole.items.length, whole.next]).to.deep.equal([128, 129]);
    for (const query of ["?from=x", "?from=-1", "?to=1&from=2", "?limit=9", "/1"])
      expect((await fetch(`http://${admin}/log${query}`)).status, query).to.equal(404);
  });

  it("is shown as text, in a range, with who signed, and the verdict in the last line", async () => {
    const { code, stdout, stderr } = await quorate("log", "--data", cluster.path, "--from", "3", "--to", "4");

    const [head, first, second, verdict, ...others] = stdout.trimEnd().split("\n");
    expect([code, stderr, others]).to.deep.equal([0, "", []]);
    expect(head).to.match(/^NUMBER +VIEW +BATCH +TIME +REQUESTS +OPERATIONS +HELD BY +CERTIFICATE$/);
    expect(first).to.match(/^3 +0 +[0-9a-f]{16} +\d{4}-\d\d-\d\dT[\d:.]+Z +1 +1 +0,1,2,3 +commit \d,\d,\d$/);
    expect(second).to.match(/^4 +0 +/);
    expect(verdict).to.match(
      /^2 entries from 3 to 4: each batch has the digest that a quorum signed, by the genesis of/,
    );
  });

  it("is not asked for with two folders, or a limit that is none", async () => {
    expect((await quorate("log", cluster.path, "--data", cluster.folder(0).path)).code).to.equal(2);
    expect((await quorate("log", cluster.path, "--limit", "0")).code).to.equal(2);
  });

  it("is of no data folder to be verified while its replica runs", async () => {
    const { code, stdout, stderr } = await quorate("verify-data", cluster.folder(0).path);
    expect([code, stdout]).to.deep.equal([1, ""]);
    expect(stderr).to.match(/^quorate: .* is in use by process \d+: stop that process or choose another folder\n$/);
  });

  it("is in sound folders after all were killed under load, which stay as they are", async () => {
    const { store } = await cluster.connect();
    const load = (async (): Promise<void> => {
      for (;;) await store.increment("counter", 1n, { timeoutMs: 3_000 });
    })().catch(() => undefined);
    await cluster.until((statuses) => statuses.every(({ executed }) => executed > running.length + 20));
    await cluster.kill();
    const before = contentOf(cluster.path);

    const { code, stdout, stderr } = await quorate("verify-data", cluster.path, "--json");

    expect([code, stderr]).to.deep.equal([0, ""]);
    for (const { isSound, checks } of JSON.parse(stdout)) {
      expect(isSound).to.equal(true);
      expect(checks.map(({ result }: { result: string }) => result)).to.deep.equal(Array(11).fill("ok"));
    }
    const { entries } = await log(cluster.path);
    expect(entries.slice(0, running.length).map(({ digest }) => digest)).to.deep.equal(
      running.map(({ digest }) => digest),
    );
    expect(contentOf(cluster.path)).to.deep.equal(before);
    const text = await quorate("verify-data", cluster.folder(1).path);
    expect(text.stdout).to.match(
      /^CHECKED +RESULT +FOUND\nconfiguration +ok +a replica of a cluster that began with 4 members/,
    );
    expect(text.stdout).to.match(/is sound: all of it is what its replica wrote\n$/);
    await load;
  });

  it("names the entry that the disk has changed, and ends with 1", async () => {
    const { path, storePath, cluster: id, owner } = cluster.folder(2);
    const store = openStore(storePath, { cluster: id, owner });
    const bytes = store.history.get(sequenceNumber(5));
    await store.close();
    if (bytes === undefined) throw new Error("no entry 5");
    const file = join(storePath, "data.mdb");
    const content = readFileSync(file);
    for (let at = content.indexOf(bytes); at !== -1; at = content.indexOf(bytes, at + 1))
      content[at + 40] = (content[at + 40] ?? 0) ^ 1;
    writeFileSync(file, content);

    const printed = await quorate("log", path);
    expect(printed.code).to.equal(1);
    expect(printed.stderr).to.match(/^quorate: replica 2, number 5: its checksum differs/);
    expect(printed.stdout).to.match(/\n4 +0 [^\n]*\n6 +0 /);
    expect(printed.stdout).to.match(/\n1 problem, see above; \d+ entries from 1 to \d+: /);
    const verified = await quorate("verify-data", path);
    expect(verified.code).to.equal(1);
    expect(verified.stdout)
      .to.match(/\nhistory +damaged /)
      .and.not.contain("is sound");
    expect(verified.stderr).to.match(/^quorate: .*: history: number 5: its checksum differs/);
    expect(verified.stderr).to.match(/: history: the disk is failing; what was executed is not lost by this/);
  });

  it("says so when the database is cut short, which brings down whoever reads it, and leaves no lock", async () => {
    const { path, storePath } = cluster.folder(3);
    const file = join(storePath, "data.mdb");
    truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096);
    const before = readdirSync(path);

    const { code, stdout, stderr } = await quorate("verify-data", path);

    expect(code).to.equal(1);
    expect(stdout).to.match(/\n(store|epochs|state|history) +damaged /);
    expect(stderr).to.match(/^quorate: .*replica-3: (store|epochs|state|history|write-ahead log): /);
    expect(readdirSync(path)).to.deep.equal(before);
  });
});
