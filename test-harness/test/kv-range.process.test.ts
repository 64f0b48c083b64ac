import { type Exit, ProcessCluster, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

/** In the order of their bytes; each has something that a shell or a command line would take for its own. */
const KEYS = ["--json", "-x", "a b", "c", "it's", "ü"];

describe("the output of `quorate kv range`", function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  before(async () => {
    cluster = await ProcessCluster.start();
    const { store } = await cluster.connect();
    for (const key of KEYS) await store.put(key, "1");
    await store.put(Uint8Array.of(0xff, 0x01), "1");
  });
  after(() => ProcessCluster.closeAll());

  const range = (...args: string[]): Promise<Exit> =>
    RunningCommand.quorate(["kv", "range", "--genesis", cluster.genesisPath, ...args]);
  const keysIn = (stdout: string): string[] => stdout.split("\n").flatMap((line) => line.split("\t")[0] || []);

  it("says on standard error that there is more, with the command that goes on, page by page to the end", async () => {
    const keys: string[] = [];
    let page = await range("--limit", "2", "", "\u{10ffff}");
    for (;;) {
      expect(page.code, page.stderr).to.equal(0);
      keys.push(...keysIn(page.stdout));
      if (page.stderr === "") break;
      const [, line = ""] = /^quorate: there are more entries; `quorate (.*)` goes on\n$/.exec(page.stderr) ?? [];
      expect(line, page.stderr).to.not.equal("");
      page = await new RunningCommand("sh", ["-c", `exec "${process.execPath}" "${QUORATE_COMMAND}" ${line}`]).exited;
      if (keys.length > KEYS.length) break;
    }

    expect(keys).to.deep.equal(KEYS);
  });

  it("says nothing when that was all", async () => {
    const { stdout, stderr } = await range("--limit", "2", "a", "d");

    expect(keysIn(stdout)).to.deep.equal(["a b", "c"]);
    expect(stderr).to.equal("");
  });

  it("names a next key that is no text in hex, for a command line cannot", async () => {
    const { code, stderr } = await range("--limit", `${KEYS.length}`);

    expect(stderr).to.match(
      /^quorate: there are more entries; the next key is no UTF-8 text, it is ff01 in hex; [^\n]*\n$/,
    );
    expect(code).to.equal(0);
  });

  it("has the next key as a field of its JSON, and null at the end", async () => {
    const first = await range("--limit", "2", "--json", "a", "d");
    const cut = await range("--limit", "1", "--json", "a", "d");

    expect(JSON.parse(first.stdout)).to.deep.equal({
      entries: [
        { key: "a b", value: "1" },
        { key: "c", value: "1" },
      ],
      next: null,
    });
    expect(JSON.parse(cut.stdout)).to.deep.equal({ entries: [{ key: "a b", value: "1" }], next: "c" });
    expect([first.stderr, cut.stderr]).to.deep.equal(["", ""]);
  });
});
