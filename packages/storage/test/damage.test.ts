import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { clusterId, digest, publicKey, sequenceNumber } from "@quorate/protocol";
import { initializeStore, openStore, type ReplicaStore, type StorageError, setStoreAside } from "@quorate/storage";
import { expect } from "chai";
import { open, type RootDatabase } from "lmdb";
import { expectFailure } from "./failures.ts";
import { IDENTITY } from "./identity.ts";
import { openIn, temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();

async function made(): Promise<string> {
  const path = join(folder(), "store.of.replica");
  await initializeStore(path, IDENTITY);
  return path;
}

async function filled(): Promise<string> {
  const path = await made();
  const store = openIn(path);
  for (const seq of [1, 2, 2, 3]) store.log.append(sequenceNumber(seq), Buffer.from(`record of ${seq}`));
  for (const seq of [1, 2, 3]) store.history.put(sequenceNumber(seq), Buffer.from(`batch ${seq}`));
  await store.close();
  return path;
}

/** Changes a store behind its back. */
async function tamper(path: string, change: (database: RootDatabase<Buffer, Buffer>) => unknown): Promise<void> {
  const database = open<Buffer, Buffer>(path, { noSubdir: false, encoding: "binary", keyEncoding: "binary" });
  await change(database);
  await database.close();
}

function keysOf(database: RootDatabase<Buffer, Buffer>, prefix: string): Buffer[] {
  const start = Buffer.from(prefix);
  return [...database.getKeys({ start, end: Buffer.from([start[0]! + 1]) })];
}

/** The format's own seal, written down a second time: it must not change unnoticed. */
function sealed(key: Buffer, bytes: Buffer): Buffer {
  const seal = Buffer.alloc(4);
  seal.writeUInt32BE(crc32(bytes, crc32(key)));
  return Buffer.concat([seal, bytes]);
}

async function withStore(path: string, use: (store: ReplicaStore) => void): Promise<void> {
  const store = openIn(path);
  use(store);
  await store.close();
}

describe("A damaged store", () => {
  it("is found in a history entry, and the others are still served", async () => {
    const path = await filled();
    await tamper(path, (database) => database.put(keysOf(database, "h")[1]!, Buffer.from("nonsense")));

    await withStore(path, ({ history }) => {
      expectFailure(() => history.get(sequenceNumber(2)), "storage.damaged", "history entry of sequence number 2");
      expect(Buffer.from(history.get(sequenceNumber(3))!).toString()).to.equal("batch 3");
    });
  });

  it("is not opened when the whole history or its tally has vanished", async () => {
    const lost: ((database: RootDatabase<Buffer, Buffer>) => Promise<unknown>)[] = [
      (database) => Promise.all(keysOf(database, "h").map((key) => database.remove(key))),
      (database) => database.remove(Buffer.from("g")),
    ];
    for (const change of lost) {
      const path = await filled();
      await tamper(path, change);

      expectFailure(() => openIn(path), "storage.damaged", "the history");
    }
  });

  it("is not opened when the entry that says whose it is does not hold", async () => {
    const path = await filled();
    await tamper(path, (database) => database.put(Buffer.from("m"), Buffer.from("nonsense")));

    expectFailure(() => openIn(path), "storage.damaged", path);
  });
});

describe("A store that is written without syncs", () => {
  const mark = (path: string): string => join(path, "unsynced");

  it("carries a mark until it is closed in order", async () => {
    const path = await made();
    const store = openIn(path, { durability: "async" });
    store.log.append(sequenceNumber(1), Buffer.from("r"));

    expect(existsSync(mark(path))).to.equal(true);
    await store.close();
    expect(existsSync(mark(path))).to.equal(false);
    await withStore(path, ({ log }) => expect([...log.entries()]).to.have.length(1));
    expect(existsSync(mark(path))).to.equal(false);
  });

  it("is opened again when only its process died", async () => {
    const path = await filled();
    const store = openIn(path, { durability: "async" });
    const boot = readFileSync(mark(path));
    await store.close();
    writeFileSync(mark(path), boot);

    await withStore(path, ({ log }) => expect([...log.entries()]).to.have.length(4));
    expect(existsSync(mark(path))).to.equal(false);
  });

  it("is refused as lost, in every mode, when the machine went down", async () => {
    const path = await filled();
    writeFileSync(mark(path), "another boot");

    for (const durability of ["sync", "async"] as const) {
      expectFailure(() => openIn(path, { durability }), "storage.damaged", "machine went down", "lost");
    }
  });
});

describe("A data folder", () => {
  it("is made once", async () => {
    const path = await made();
    const before = readdirSync(path);

    const failure = await initializeStore(path, IDENTITY).then(
      () => undefined,
      (error: unknown) => error,
    );
    expect((failure as StorageError).code).to.equal("storage.already-initialized");
    expect((failure as StorageError).message)
      .to.include("already initialized")
      .and.include(path);
    expect(readdirSync(path)).to.deep.equal(before);
  });

  it("is refused when it is missing, empty or holds an empty file, and left as it was", () => {
    const empty = folder();
    expectFailure(() => openIn(join(empty, "missing")), "storage.not-initialized", "missing", "disk is lost");
    expectFailure(() => openIn(empty), "storage.not-initialized", empty);
    expect(readdirSync(empty)).to.deep.equal([]);
    writeFileSync(join(empty, "data.mdb"), "");
    expectFailure(() => openIn(empty), "storage.not-initialized");
  });

  it("says for ever with which nonce it was made after another was lost", async () => {
    const path = folder();
    const nonce = digest("5a".repeat(32));
    await initializeStore(path, IDENTITY, nonce);
    for (let opened = 0; opened < 2; opened++)
      await withStore(path, (store) => {
        store.log.append(sequenceNumber(1), Buffer.from("a record"));
        expect(store.lossNonce).to.equal(nonce);
      });
    await withStore(await made(), ({ lossNonce }) => expect(lossNonce).to.equal(undefined));
  });

  it("is set aside when it is lost, beside those that were lost before, and nothing of it changes", async () => {
    const path = await filled();
    const before = readFileSync(join(path, "data.mdb"));
    expect(setStoreAside(path)).to.equal(`${path}.lost-1`);
    expect(readFileSync(join(`${path}.lost-1`, "data.mdb"))).to.deep.equal(before);
    expect(existsSync(path)).to.equal(false);
    expect(setStoreAside(path), "nothing is left").to.equal(undefined);
    mkdirSync(path);
    expect(setStoreAside(path), "nothing is in it").to.equal(undefined);
    writeFileSync(join(path, "data.mdb"), "");
    expect(setStoreAside(path)).to.equal(`${path}.lost-2`);
  });

  it("is refused when its making was cut short before the mark", async () => {
    const path = folder();
    await tamper(path, (database) => database.put(Buffer.from("x"), Buffer.from("y")));

    expectFailure(() => openIn(path), "storage.not-initialized", "no mark of initialization");
  });

  it("is refused when it belongs to another replica or another cluster", async () => {
    const path = await made();
    const copy = folder();
    cpSync(path, copy, { recursive: true });

    const otherOwner = { ...IDENTITY, owner: publicKey("33".repeat(32)) };
    expectFailure(
      () => openStore(copy, otherOwner),
      "storage.foreign",
      "key is 3333333333333333…",
      "of key 2222222222222222…",
      "own folder",
    );
    const otherCluster = { ...IDENTITY, cluster: clusterId("cd".repeat(32)) };
    expectFailure(() => openStore(copy, otherCluster), "storage.foreign", "abab", "cdcd");
    await withStore(copy, ({ log }) => expect([...log.entries()]).to.deep.equal([]));
  });

  it("is refused when another version of the format wrote it", async () => {
    const path = await made();
    const meta = Buffer.from(JSON.stringify({ format: 1, cluster: IDENTITY.cluster, owner: IDENTITY.owner }));
    const key = Buffer.from("m");
    await tamper(path, (database) => database.put(key, sealed(key, meta)));

    expectFailure(() => openIn(path), "storage.version", "expected format 5, found 1");
  });

  it("is refused when another program wrote its file", () => {
    const path = join(folder(), "store");
    mkdirSync(path);
    writeFileSync(join(path, "data.mdb"), "these are not pages\n".repeat(1000));

    expectFailure(() => openIn(path), "storage.foreign", path, "own folder");
  });
});
