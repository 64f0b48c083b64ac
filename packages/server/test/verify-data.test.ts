import { appendFileSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DataCheck,
  type DataPart,
  type DataVerdict,
  keyFileOf,
  unreadableVerdict,
  verifyData,
} from "@quorate/server";
import { initializeStore } from "@quorate/storage";
import { expect } from "chai";
import { backend, cluster, codec, digestOf, membership, seedOf, seqOf } from "./builders.ts";
import {
  contentOf,
  cryptography,
  type DataFolder,
  dataFolders,
  evidence,
  flipBit,
  openStoreOf,
  stateValueOf,
} from "./data-folder.ts";

const database = ({ folder }: DataFolder): string => join(folder.storePath, "data.mdb");
const segment = ({ folder }: DataFolder): string => join(folder.storePath, "log", "00000001.wal");
const entryAt = (data: DataFolder, seq: number): Uint8Array => codec.encodeCommittedEntry(data.entries[seq - 1]!);

describe("verifyData", () => {
  const made = dataFolders();

  /** Nothing of the folder is changed by the check. */
  async function verified({ folder }: DataFolder): Promise<DataVerdict> {
    const before = contentOf(folder.path);
    const verdict = await verifyData(folder.path, cryptography);
    expect(contentOf(folder.path), "the folder after the check").to.deep.equal(before);
    return verdict;
  }

  /** Damages a folder; expects that these parts are named, with these words, and no other. */
  async function names(
    damage: (data: DataFolder) => unknown,
    expected: Partial<Record<DataPart, RegExp>>,
  ): Promise<readonly DataCheck[]> {
    const data = await made();
    await damage(data);
    const { isSound, checks } = await verified(data);
    const damaged = checks.filter(({ result }) => result === "damaged");
    expect(isSound).to.equal(false);
    expect(damaged.map(({ part }) => part)).to.deep.equal(Object.keys(expected));
    for (const { part, problems, advice } of damaged) {
      expect(problems.join("\n"), part).to.match(expected[part]!);
      expect(advice, part).to.not.equal(undefined);
    }
    return checks;
  }

  it("finds a folder sound, with counts, and changes nothing of it", async () => {
    const { isSound, checks } = await verified(await made());

    expect(isSound).to.equal(true);
    expect(
      checks.map(({ part, result, found }) => `${part}: ${result}, ${found.replace(/root .*/, "root")}`),
    ).to.deep.equal([
      "configuration: ok, a replica of a cluster that began with 4 members; 1 key",
      "store: ok, this replica's, format 5",
      "epochs: ok, that of genesis",
      "write-ahead log: ok, 11 records (5 pre-prepared, 5 prepared, 1 stable)",
      `state: ok, ${checks[4]?.found.replace(/root .*/, "root")}`,
      `history: ok, ${checks[5]?.found}`,
      "replies: ok, 11 replies that can be sent again",
      "stable checkpoint: ok, number 8, signed by replicas 0, 1, 2",
      "own checkpoint: ok, number 8, root",
      "evidence: ok, 1 piece",
      "recovery: ok, starts in view 0, window (8, 24], executed 11",
    ]);
    expect(checks[4]?.found).to.match(/^\d+ entries of \d+ bytes after number 11, root [0-9a-f]{16}$/);
    expect(checks[5]?.found).to.match(/^11 entries from 1 to 11 of \d+ bytes, which lead to the state$/);
  });

  it("finds a folder sound that has come into a later epoch: each record is judged by the members of its own", async () => {
    const { isSound, checks } = await verified(await made({ isLater: true }));

    expect(checks.flatMap(({ problems }) => problems)).to.deep.equal([]);
    expect(isSound).to.equal(true);
    const found = Object.fromEntries(checks.map((check) => [check.part, check.found]));
    expect(found.epochs).to.equal("1 link from genesis, 4 members in the last");
    expect(found.history).to.match(/^35 entries from 1 to 35 of \d+ bytes, which lead to the state$/);
    expect(found["stable checkpoint"]).to.equal("number 32, signed by replicas 0, 1, 2");
    expect(found["own checkpoint"]).to.match(/^number 32/);
    expect(found.evidence).to.equal("2 pieces");
    expect(found.recovery).to.equal("starts in view 0, window (32, 48], executed 35");
  });

  it("names a folder that has promised what it no longer has the key of, as a start does", async () => {
    const stranger = JSON.stringify(keyFileOf(backend, seedOf("stranger")));
    await names(({ folder }) => writeFileSync(join(folder.path, "key.json"), stranger), {
      replies: /does not lead to what this replica signed/,
      recovery: /has a record \(pre-prepared\) of a member of epoch 0, and the key of no member of it is held here/,
    });
  });

  it("finds a folder sound whose last write was cut short, and leaves that to the next start", async () => {
    const data = await made();
    appendFileSync(segment(data), "QWAL and then the power went");

    const { isSound, checks } = await verified(data);

    expect(isSound).to.equal(true);
    expect(checks[3]?.found).to.match(/; \d+ bytes of a write cut short, no harm$/);
  });

  it("names a bit that flipped in a segment of the log below the flush mark, and what cannot be checked then", async () => {
    const checks = await names((data) => flipBit(segment(data), entryBatchOf(data, 9)), {
      "write-ahead log": /damaged/,
    });
    expect(checks.filter(({ result }) => result === "not-checked").map(({ part }) => part)).to.deep.equal([
      "replies",
      "stable checkpoint",
      "own checkpoint",
      "recovery",
    ]);
  });

  it("names a log that ends before what was flushed", async () => {
    await names((data) => truncateSync(segment(data), 100), { "write-ahead log": /groups were flushed/ });
  });

  it("names the entry of the history in which a bit flipped, and goes on behind it", async () => {
    for (const seq of [2, 10])
      await names((data) => flipBit(database(data), entryAt(data, seq)), {
        history: new RegExp(`^number ${seq}: its checksum differs`),
      });
  });

  it("names an entry whose certificate, number or batch is another's, though its checksum holds", async () => {
    const put = (seq: number, bytesOf: (data: DataFolder) => Uint8Array) => async (data: DataFolder) => {
      const store = openStoreOf(data.folder);
      store.history.put(seqOf(seq), bytesOf(data));
      await store.close();
    };
    await names(
      put(4, (data) => entryAt(data, 5)),
      { history: /^number 4: it belongs to number 5$/ },
    );
    await names(
      put(4, ({ entries }) => codec.encodeCommittedEntry({ ...entries[3]!, batch: entries[4]!.batch })),
      { history: /^number 4: its batch has the digest [0-9a-f]{64}, the certificate is of/ },
    );
    const forged = ({ entries }: DataFolder): Uint8Array => {
      const { batch, certificate } = entries[3]!;
      const [first, second, third] = certificate.signatures;
      const signatures = [first!, { ...second!, signature: third!.signature }, third!];
      return codec.encodeCommittedEntry({ batch, certificate: { ...certificate, signatures } });
    };
    await names(put(4, forged), { history: /^number 4: its certificate .* no valid signature of replica 1$/ });
  });

  it("names a value of the state in which a bit flipped", async () => {
    await names((data) => flipBit(database(data), stateValueOf(7)), { state: /expected entries whose root is/ });
  });

  it("names an entry of the state that appeared", async () => {
    await names(
      async ({ folder }) => {
        const store = openStoreOf(folder);
        store.state.write([{ key: Buffer.from("\u0001more"), value: Buffer.from("than there was") }]);
        await store.close();
      },
      { state: /expected entries whose root is/ },
    );
  });

  it("names evidence in which a bit flipped", async () => {
    await names((data) => flipBit(database(data), codec.encodeEvidence(evidence)), {
      evidence: /^piece [0-9a-f]{64}: its digest differs$/,
    });
  });

  it("names a checkpoint for which a quorum signed another state root than the replica has", async () => {
    const data = await made({ stableRoot: digestOf("another") });

    const { checks } = await verified(data);

    const damaged = checks.filter(({ result }) => result === "damaged");
    expect(damaged.map(({ part }) => part)).to.deep.equal(["own checkpoint"]);
    expect(damaged[0]?.problems).to.have.length(1);
    expect(damaged[0]?.problems[0]).to.match(/^a quorum signed the state root [0-9a-f]{64} for number 8, it says/);
  });

  it("finds the folder of a replica sound that was never started", async () => {
    const data = await made();
    rmSync(data.folder.storePath, { recursive: true });
    await initializeStore(data.folder.storePath, { cluster, owner: data.folder.owner });

    const { isSound, checks } = await verified(data);

    expect(checks.flatMap(({ problems }) => problems)).to.deep.equal([]);
    expect(isSound).to.equal(true);
    expect(checks[4]?.found).to.equal("none yet: this replica has never been started");
    expect(checks.at(-1)?.found).to.equal("starts in view 0, window (0, 16], executed 0");
  });

  it("names a reply that does not lead to what was signed", async () => {
    await names(
      async ({ folder }) => {
        const store = openStoreOf(folder);
        const [output] = [...store.local.range(Buffer.from("output/"), Buffer.from("output0"))].slice(-1);
        const value = Uint8Array.from(output![1]);
        // In the signature, behind the epoch, the number and the two digests of the statement.
        value[90]! ^= 1;
        store.local.write([{ key: output![0], value }]);
        await store.close();
      },
      { replies: /^the reply to request [0-9a-f]{64} of number 11 does not lead to what this replica signed$/ },
    );
  });

  it("names key, genesis and configuration that do not belong together", async () => {
    const edited = (name: string, edit: (text: string) => string) => (data: DataFolder) => {
      const file = join(data.folder.path, name);
      writeFileSync(file, edit(readFileSync(file, "utf8")));
    };
    await names(
      edited("key.json", (text) =>
        text.replace(/("seed": ")(.)/, (_, start, digit) => `${start}${digit === "0" ? 1 : 0}`),
      ),
      { configuration: /the private key does not belong to the public key/ },
    );
    await names(
      edited("replica.json", (text) => text.replace(/("owner": ")[0-9a-f]+/, `$1${membership.members[2]!.publicKey}`)),
      { configuration: /the private key is that of replica 3, the folder that of the replica whose first key is/ },
    );
    await names(
      edited("genesis.json", (text) => text.replace('"name": "test"', '"name": "tesu"')),
      { store: /expected the store of the replica whose first key is [0-9a-f]{16}…, of cluster/ },
    );
  });

  it("says of a store that brings down whoever reads it that nothing of it can be checked", () => {
    const { isSound, checks } = unreadableVerdict("/data", "SIGBUS");
    const [store, ...others] = checks;
    expect([isSound, store?.part, store?.result]).to.deep.equal([false, "store", "damaged"]);
    expect(store?.problems)
      .to.have.length(1)
      .and.match(/ended the process \(SIGBUS\)/);
    expect(others.map(({ result }) => result)).to.deep.equal(Array(10).fill("not-checked"));
  });

  it("names a database that is none", async () => {
    await names((data) => writeFileSync(database(data), "nothing that LMDB wrote".repeat(1000)), {
      store: /expected an LMDB store, found another file/,
    });
  });
});

/** As the log has it. */
function entryBatchOf({ entries }: DataFolder, seq: number): Uint8Array {
  return entries[seq - 1]!.batch.requests[0]!.signature;
}
