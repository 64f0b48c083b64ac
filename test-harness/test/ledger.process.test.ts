import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Exit, freePortBase, QUORATE_COMMAND, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import { connect, OperationFailedError, type QuorateClient, RetryableError } from "quorate";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TRANSFERS = process.env.QUORATE_FULL === "1" ? 5_000 : 500;
const LOOPS = 20;
const ACCOUNTS = ["ada", "bob", "cyd"] as const;
const ISSUED = 10n;

/** What is called here of the service, which is JavaScript. */
interface Ledger {
  open(name: string): Promise<number>;
  transfer(from: string, to: string, amount: bigint): Promise<number>;
  balance(name: string): Promise<bigint>;
  supply(): Promise<bigint>;
  journal(from: number): Promise<readonly { readonly number: number; readonly type: string }[]>;
}

describe("the example of a ledger", function () {
  this.timeout(240_000);
  let path: string;
  let cluster: RunningCommand;
  const clients: QuorateClient[] = [];
  before(async () => {
    path = mkdtempSync(join(tmpdir(), "quorate-ledger-"));
    const service = ["--service", "examples/ledger/ledger.js", "--json"];
    const base = `${await freePortBase(4)}`;
    cluster = node(QUORATE_COMMAND, "cluster", "--data", join(path, "x"), "--port-base", base, ...service);
    await cluster.printed(/\n/);
  });
  after(async () => {
    for (const client of clients) client.close();
    await RunningCommand.killAll();
    rmSync(path, { recursive: true, force: true });
  });

  const genesis = (): string => join(path, "x", "genesis.json");
  const node = (...args: string[]): RunningCommand => new RunningCommand(process.execPath, args, { cwd: ROOT });
  const bank = (key: string, ...args: string[]): Promise<Exit> =>
    node("examples/ledger/bank.js", ...args, "--key", join(path, `${key}.key`), "--genesis", genesis()).exited;

  it("gives each key its own accounts, and proofs of what it says", async () => {
    expect(await bank("first", "open", "first")).to.include({ code: 0, stdout: "0\n", stderr: "" });
    expect(await bank("second", "open", "second")).to.include({ code: 0, stdout: "1\n" });
    expect(await bank("second", "open", "first")).to.include({ code: 1, stderr: "bank: first is taken\n" });
    expect(await bank("bank", "issue", "first", "100")).to.include({ code: 0, stdout: "2\n" });
    expect(await bank("first", "issue", "first", "1")).to.include({
      code: 1,
      stderr: "bank: only the issuer makes coins\n",
    });
    expect(await bank("first", "transfer", "first", "second", "30")).to.include({ code: 0, stdout: "3\n" });
    const refused = [
      [await bank("second", "transfer", "first", "second", "30"), "first belongs to another key"],
      [await bank("first", "transfer", "first", "second", "71"), "first has 70, not 71"],
      [await bank("first", "transfer", "first", "nobody", "1"), "there is no account nobody"],
      [await bank("first", "transfer", "first", "second", "-1"), "expected an amount above 0, got -1"],
    ] as const;
    for (const [{ stderr }, text] of refused.slice(0, 3)) expect(stderr).to.equal(`bank: ${text}\n`);
    expect(await bank("first", "balance", "first"), "nothing of a refused one").to.include({ stdout: "70\n" });

    const receipt = join(path, "journal.receipt");
    const journal = await bank("second", "journal", "2", "--receipt", receipt);
    expect(journal.stdout).to.equal("2 issued 100 to first\n3 moved 30 from first to second\n");
    const proven = await RunningCommand.quorate(["verify", receipt, "--genesis", genesis()]);
    expect([proven.code, /is proven: replicas \d, \d/.test(proven.stdout)]).to.deep.equal([0, true]);
  });

  it(`loses and doubles no coin in ${TRANSFERS} transfers and more, while each replica in turn is killed`, async () => {
    const client = await connect({ genesis: genesis() });
    clients.push(client);
    const ledger = client.as({ timeoutMs: 60_000 }) as unknown as Ledger;
    for (const name of ACCOUNTS) await ledger.open(name);
    // The issuer is the key of another client.
    const before = await ledger.supply();
    for (const name of ACCOUNTS) expect((await bank("bank", "issue", name, `${ISSUED}`)).code).to.equal(0);

    let [calls, moved, refused] = [0, 0, 0];
    let areAllBack = false;
    const loop = async (): Promise<void> => {
      while (calls < TRANSFERS || !areAllBack) {
        const call = calls++;
        const [from = "", to = ""] = [ACCOUNTS[call % 3], ACCOUNTS[(call + 1 + (call % 2)) % 3]];
        const outcome = await settled(ledger.transfer(from, to, 1n + BigInt(call % 13)));
        if (outcome instanceof OperationFailedError) refused++;
        else moved++;
      }
    };
    const loops = Array.from({ length: LOOPS }, loop);
    for (const id of [0, 1, 2, 3]) await restart(id);
    areAllBack = true;
    await Promise.all(loops);

    const balances = await Promise.all(ACCOUNTS.map((name) => ledger.balance(name)));
    expect(balances.reduce((sum, balance) => sum + balance)).to.equal(ISSUED * 3n);
    expect(await ledger.supply()).to.equal(before + ISSUED * 3n);
    expect(moved + refused).to.equal(calls);
    expect(refused, "some accounts were empty").to.be.greaterThan(0);
    let inJournal = 0;
    for (let from = 0; ; ) {
      const entries = await ledger.journal(from);
      if (entries.length === 0) break;
      inJournal += entries.filter(({ type }) => type === "moved").length;
      expect(entries.map(({ number }) => number)).to.deep.equal(entries.map((_, i) => from + i));
      from += entries.length;
    }
    expect(inJournal, "with the one of the first test").to.equal(moved + 1);
  });

  /** The result, or the refusal; whatever else fails is asked for again. */
  async function settled(call: Promise<number>): Promise<unknown> {
    for (let waiting = call; ; )
      try {
        return await waiting;
      } catch (error) {
        if (error instanceof OperationFailedError) return error;
        if (!(error instanceof RetryableError)) throw error;
        waiting = error.retry() as Promise<number>;
      }
  }

  /** Kills it, and starts it again as the command says; done when it is ready. */
  async function restart(id: number): Promise<void> {
    const status = await RunningCommand.quorate(["status", "--json", "--data", join(path, "x")]);
    const { pid } = (JSON.parse(status.stdout) as { readonly pid: number }[])[id] ?? { pid: 0 };
    process.kill(pid, "SIGKILL");
    await cluster.printed(new RegExp(`replica ${id} ended`));
    await node(QUORATE_COMMAND, "start", "--data", join(path, "x", `replica-${id}`)).message("ready");
  }
});
