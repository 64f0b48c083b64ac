import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publicKey, sequenceNumber } from "@quorate/protocol";
import { initializeStore, openStoreToRead, type StoreReader } from "@quorate/storage";
import { expect } from "chai";
import { expectFailure } from "./failures.ts";
import { IDENTITY } from "./identity.ts";
import { openIn, temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();
const seqOf = sequenceNumber;
const bytes = (text: string): Uint8Array => Buffer.from(text);
const EVERYTHING = new Uint8Array(0);

async function filled(): Promise<string> {
  const path = join(folder(), "store.of.replica");
  await initializeStore(path, IDENTITY);
  const store = openIn(path);
  for (const seq of [1, 2, 3]) {
    store.log.append(seqOf(seq), bytes(`record of ${seq}`));
    store.history.put(seqOf(seq), bytes(`batch ${seq}`));
    store.state.write([{ key: bytes(`key ${seq}`), value: bytes(`value ${seq}`) }]);
  }
  store.local.write([{ key: bytes("note"), value: bytes("to self") }]);
  store.log.cut(seqOf(1));
  await store.close();
  return path;
}

const contentOf = (path: string): [string, string][] =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
    .map((file) => [file, readFileSync(file, "hex")]);

async function unchanged(path: string, use: (reader: StoreReader) => void): Promise<void> {
  const before = contentOf(path);
  const reader = openStoreToRead(path, IDENTITY);
  try {
    use(reader);
  } finally {
    await reader.close();
    expect(contentOf(path)).to.deep.equal(before);
  }
}

const recordsOf = (reader: StoreReader): string[] =>
  [...reader.openLog().entries()].map(({ record }) => Buffer.from(record).toString());

describe("openStoreToRead", () => {
  it("reads all that a store holds, and changes no byte of it", async () => {
    await unchanged(await filled(), (reader) => {
      const history = reader.openHistory();
      expect(recordsOf(reader)).to.deep.equal(["record of 2", "record of 3"]);
      expect([history.first, history.last, history.bytes]).to.deep.equal([1, 3, 21]);
      expect(history.get(seqOf(2))).to.deep.equal(bytes("batch 2"));
      expect([...reader.state.range(EVERYTHING, undefined)].map(([key]) => Buffer.from(key).toString())).to.deep.equal([
        "key 1",
        "key 2",
        "key 3",
      ]);
      expect(reader.local.get(bytes("note"))).to.deep.equal(bytes("to self"));
      expect(reader.lossNonce).to.equal(undefined);
    });
  });

  it("passes over a write that was cut short, says so, and leaves it to the next start", async () => {
    const path = await filled();
    const segment = join(path, "log", "00000001.wal");
    // All was written as one group: a header of 52 bytes, whose last four say how long the rest is.
    truncateSync(segment, 52 + readFileSync(segment).readUInt32BE(48));
    appendFileSync(segment, "QWAL and then");

    await unchanged(path, (reader) => {
      expect(reader.openLog().tornBytes).to.equal(13);
      expect(recordsOf(reader)).to.deep.equal(["record of 2", "record of 3"]);
    });
  });

  it("reads a log without its flush marks, and makes none", async () => {
    const path = await filled();
    rmSync(join(path, "flushed"));

    await unchanged(path, (reader) => expect(recordsOf(reader)).to.have.length(2));
    expect(existsSync(join(path, "flushed"))).to.equal(false);
  });

  it("finds what a start would find: damage to the log, another's store, none, and lost writes", async () => {
    const path = await filled();
    const segment = join(path, "log", "00000001.wal");
    const content = readFileSync(segment);
    content[60] = (content[60] ?? 0) ^ 1;
    writeFileSync(segment, content);
    await unchanged(path, (reader) => expectFailure(() => reader.openLog(), "storage.damaged", "log"));

    const other = { ...IDENTITY, owner: publicKey("33".repeat(32)) };
    expectFailure(() => openStoreToRead(path, other), "storage.foreign", "whose first key is 3333333333333333…");
    expectFailure(() => openStoreToRead(join(path, "log"), IDENTITY), "storage.not-initialized", "holds no store");
    writeFileSync(join(path, "unsynced"), "another boot");
    expectFailure(() => openStoreToRead(path, IDENTITY), "storage.damaged", "the machine went down");
  });

  it("leaves nothing behind where temporary files are", async () => {
    const views = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("quorate-reads-"));
    const before = views();
    await unchanged(await filled(), () => expect(views()).to.have.length(before.length + 1));
    expect(views()).to.deep.equal(before);
  });
});
