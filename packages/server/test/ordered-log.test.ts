import { join } from "node:path";
import { EPOCH_LINKS_MAX, epochNumber } from "@quorate/protocol";
import { type LoggedNumber, openStoppedLog } from "@quorate/server";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { LOG_PAGE_BYTES_MAX, LOG_PAGE_ITEMS_MAX, type LogPage, logPageOf } from "../dist/log-page.js";
import { cluster, codec, epoch, membership, newEpochs, newScript, seqOf } from "./builders.ts";
import {
  ACTIVATION,
  contentOf,
  cryptography,
  type DataFolder,
  dataFolders,
  EXECUTED,
  EXECUTED_LATER,
  flipBit,
  PREPARED,
} from "./data-folder.ts";

const ALL = { from: 0, to: Number.MAX_SAFE_INTEGER };
const summary = (item: LoggedNumber): string => `${item.seq} ${item.type}`;
const upTo = (last: number): string[] => Array.from({ length: last }, (_, i) => `${i + 1} committed`);

describe("openStoppedLog", () => {
  const made = dataFolders();

  async function read({ folder }: DataFolder, range = ALL): Promise<LoggedNumber[]> {
    const before = contentOf(folder.path);
    const log = openStoppedLog(folder, cryptography);
    try {
      return [...log.items(range)];
    } finally {
      await log.close();
      expect(contentOf(folder.path)).to.deep.equal(before);
    }
  }

  it("gives each number in order: those of the history proven, what is in the log only as prepared", async () => {
    const data = await made();

    const items = await read(data);

    expect(items.map(summary)).to.deep.equal([...upTo(EXECUTED), `${PREPARED} prepared`]);
    for (const [i, item] of items.slice(0, EXECUTED).entries()) {
      if (item.type !== "committed") throw new Error(summary(item));
      expect(item.entry.batch.batch).to.deep.equal(data.entries[i]?.batch);
      expect(item.entry.certificate.signatures.map(({ from }) => from)).to.deep.equal([0, 1, 2]);
    }
  });

  it("gives those of each epoch, proven by the members of that one", async () => {
    const data = await made({ isLater: true });

    const items = await read(data);

    expect(items.map(summary)).to.deep.equal(upTo(EXECUTED_LATER));
    const epochs = items.map((item) => (item.type === "committed" ? item.entry.certificate.epoch : undefined));
    expect(epochs.indexOf(epochNumber(1))).to.equal(ACTIVATION);
  });

  it("gives a range of numbers", async () => {
    const items = await read(await made(), { from: 10, to: PREPARED });
    expect(items.map(summary)).to.deep.equal(["10 committed", "11 committed", "12 prepared"]);
    expect(await read(await made(), { from: 99, to: 100 })).to.deep.equal([]);
  });

  it("names an entry that the disk has changed, and goes on behind it", async () => {
    const data = await made();
    flipBit(join(data.folder.storePath, "data.mdb"), codec.encodeCommittedEntry(data.entries[4]!));

    const items = await read(data);

    expect(items.map(summary)).to.deep.equal([
      ...upTo(EXECUTED).map((line) => (line === "5 committed" ? "5 problem" : line)),
      `${PREPARED} prepared`,
    ]);
    expect(items[4])
      .to.have.property("problem")
      .that.matches(/its checksum differs/);
  });

  it("names damage to the log, which belongs to no number, behind all that is sound", async () => {
    const data = await made();
    const { signature } = data.entries[8]!.batch.requests[0]!;
    flipBit(join(data.folder.storePath, "log", "00000001.wal"), signature);

    const items = await read(data);

    expect(items.map(summary)).to.deep.equal([...upTo(EXECUTED), "undefined problem"]);
    expect(items.at(-1))
      .to.have.property("problem")
      .that.matches(/damaged/);
  });
});

describe("logPageOf", () => {
  const { id: replica, publicKey: owner } = membership.members[0]!;
  function pageOf(entries: ReadonlyMap<number, Uint8Array>, executed: number, range = ALL): LogPage {
    const { history } = createMemoryStore();
    for (const [seq, bytes] of entries) history.put(seqOf(seq), bytes);
    return logPageOf(
      { cluster, owner, replica, history, executed, epochs: newEpochs(), codec },
      { above: epoch, ...range },
    );
  }
  const numbers = (from: number, to: number, bytes = 1): Map<number, Uint8Array> =>
    new Map(Array.from({ length: to - from + 1 }, (_, i) => [from + i, new Uint8Array(bytes)]));

  it("says whose it is, what is kept, and the entries as they are", () => {
    expect(pageOf(new Map([[7, Uint8Array.of(1, 2)]]), 7)).to.deep.equal({
      cluster,
      owner,
      replica,
      first: 7,
      last: 7,
      items: [{ seq: 7, entry: "AQI=" }],
    });
    expect(pageOf(new Map(), 0)).to.deep.equal({ cluster, owner, replica, items: [] });
  });

  it("has the links above the epoch that was asked with, as many as fit into one answer", () => {
    const script = newScript();
    script.idle(EPOCH_LINKS_MAX + 2);
    const { history } = createMemoryStore();
    const source = {
      cluster,
      owner,
      replica,
      history,
      executed: 0,
      epochs: script.chainAt(EPOCH_LINKS_MAX + 2),
      codec,
    };
    const linksAbove = (above: number): unknown =>
      logPageOf(source, { ...ALL, above: epochNumber(above) }).links?.map((link) => {
        const decoded = codec.decodeEpochLink(Buffer.from(link, "base64"));
        return decoded.ok && decoded.value;
      });
    expect(linksAbove(0)).to.deep.equal(script.links.slice(0, EPOCH_LINKS_MAX));
    expect(linksAbove(EPOCH_LINKS_MAX)).to.deep.equal(script.links.slice(EPOCH_LINKS_MAX));
    expect(linksAbove(EPOCH_LINKS_MAX + 2)).to.equal(undefined);
  });

  it("ends after so many entries, and says where the next one begins", () => {
    const page = pageOf(numbers(1, LOG_PAGE_ITEMS_MAX + 5), 200);
    expect([page.items.length, page.next]).to.deep.equal([LOG_PAGE_ITEMS_MAX, LOG_PAGE_ITEMS_MAX + 1]);
    const rest = pageOf(numbers(1, LOG_PAGE_ITEMS_MAX + 5), 200, { ...ALL, from: page.next! });
    expect([rest.items.length, rest.next]).to.deep.equal([5, undefined]);
  });

  it("ends after so many bytes, but holds one entry however long it is", () => {
    const page = pageOf(numbers(1, 3, LOG_PAGE_BYTES_MAX + 1), 3);
    expect([page.items.map(({ seq }) => seq), page.next]).to.deep.equal([[1], 2]);
  });

  it("names a number that was executed and is not there; above that decisions come as they do", () => {
    const entries = new Map([2, 4, 6].map((seq) => [seq, new Uint8Array(1)]));
    const { items } = pageOf(entries, 4);
    expect(items.map(({ seq }) => seq)).to.deep.equal([2, 3, 4, 6]);
    expect(items[1]).to.deep.equal({ seq: 3, problem: "it is not there" });
  });
});
