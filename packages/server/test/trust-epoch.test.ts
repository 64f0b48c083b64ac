import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { epochNumber, replicaId } from "@quorate/protocol";
import { epochDocumentOf } from "@quorate/reconfiguration";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import {
  ConfigurationError,
  EPOCH_FILE,
  type InitOptions,
  initReplicaFolder,
  judgesOf,
  keyFileOf,
  openStoppedStore,
  type ReplicaFolder,
  readReplicaFolder,
  standingOf,
  trustEpoch,
} from "@quorate/server";
import { StorageError } from "@quorate/storage";
import { expect } from "chai";
import { readEpochs, writeEpochLink } from "../dist/epoch-records.js";
import { backend, cluster, codec, genesis, hasher, newScript, newVerifier, seedOf } from "./builders.ts";
import { cryptography, openStoreOf } from "./data-folder.ts";

type Given = NonNullable<InitOptions["epoch"]>;

/** Another key, a joiner, another window: three epochs, and those of whoever has stolen the keys of the first. */
function script(forked = false): ScriptedEpochs {
  const epochs = newScript();
  epochs.rotateKey(replicaId(forked ? 1 : 2));
  epochs.join();
  epochs.idle(1);
  return epochs;
}

const documentOf = (epochs: ScriptedEpochs, epoch = epochs.epoch): object =>
  epochDocumentOf(epochs.chainAt(epoch), epochs.cluster, codec)!;
const given = (document: object): Given => ({ text: JSON.stringify(document), source: "doc.json" });

async function refusal(act: () => Promise<unknown>): Promise<string> {
  try {
    await act();
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigurationError);
    expect((error as Error).message).to.match(/^[^\n]*$/);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("a folder that trusts a later epoch (protocol rule 11.4)", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "quorate-trust-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const init = (change: Partial<InitOptions> = {}): Promise<ReplicaFolder> =>
    initReplicaFolder({
      path: join(root, "r1"),
      genesis: { text: JSON.stringify(genesis), source: "g.json" },
      key: keyFileOf(backend, seedOf("replica 1")),
      backend,
      hasher,
      ...change,
    });
  const read = (): ReplicaFolder => readReplicaFolder(join(root, "r1"), backend, hasher);
  async function knowing(folder: ReplicaFolder, epochs: ScriptedEpochs, count: number): Promise<ReplicaFolder> {
    const store = openStoreOf(folder);
    for (const link of epochs.links.slice(0, count)) writeEpochLink(store.local, codec, link);
    await store.close();
    return folder;
  }
  async function epochsIn(folder: ReplicaFolder): Promise<number> {
    const { store, close } = openStoppedStore(folder);
    try {
      return judgesOf(folder, cryptography, store.local).epochs.epoch;
    } finally {
      await close();
    }
  }

  it("begins there, with every epoch before it, and goes on above it", async () => {
    const epochs = script();
    const folder = await init({ epoch: given(documentOf(epochs)) });

    expect(await epochsIn(read())).to.equal(3);
    expect(judgesOf(read(), cryptography).epochs.membershipAt(epochNumber(1))).to.deep.equal(epochs.membershipAt(1));
    epochs.idle(1);
    const store = openStoreOf(folder);
    writeEpochLink(store.local, codec, epochs.links[3]!);
    await store.close();
    expect(await epochsIn(read())).to.equal(4);
  });

  it("is led into no other chain by the keys of an epoch before it", async () => {
    const folder = await init({ epoch: given(documentOf(script(), 1)) });
    const stolen = script(true);

    const { epochs } = judgesOf(folder, cryptography);

    expect(stolen.links.map((link) => epochs.add(link))).to.deep.equal(["known", "bad-certificate", "gap"]);
    expect(judgesOf({ genesis, cluster }, cryptography).epochs.add(stolen.links[0]!), "without it").to.equal("added");
  });

  for (const { what, document, says } of [
    {
      what: "of another cluster",
      document: { ...documentOf(script()), cluster: "ab".repeat(32) },
      says: /it is of cluster abab/,
    },
    {
      what: "without the links to it",
      document: { ...documentOf(script()), links: [] },
      says: /has no links from genesis.*quorate epochs --document/,
    },
    {
      what: "whose links lead elsewhere",
      document: { ...documentOf(script()), links: (documentOf(script(true)) as { links: unknown }).links },
      says: /its links lead to another one/,
    },
    { what: "that is none", document: [], says: /^doc\.json: .*its type is undefined/ },
  ])
    it(`is not made with a document ${what}, and nothing is left of it`, async () => {
      const message = await refusal(() => init({ epoch: given(document) }));
      expect(message)
        .to.match(/^doc\.json/)
        .and.to.match(says);
      expect(existsSync(join(root, "r1"))).to.equal(false);
    });

  it("may be told so later, once for all, and keeps it when its store is lost", async () => {
    const epochs = script();
    const folder = await knowing(await init(), epochs, 1);
    const text = given(documentOf(epochs));

    const told = await trustEpoch(folder, text, cryptography);

    expect([told.trusted?.links.length, await epochsIn(read())]).to.deep.equal([3, 3]);
    expect(readFileSync(join(folder.path, EPOCH_FILE), "utf8")).to.equal(text.text);
    expect((await trustEpoch(read(), text, cryptography)).trusted, "again").to.deep.equal(told.trusted);
    const again = await init({ isDiskLost: true });
    expect([again.trusted?.links.length, await epochsIn(again)]).to.deep.equal([3, 3]);
  });

  it("is not told of one below what it has come to, and after that one again is no matter", async () => {
    const epochs = script();
    const folder = await init({ epoch: given(documentOf(epochs, 1)) });
    const store = openStoreOf(folder);
    for (const link of epochs.links.slice(1)) writeEpochLink(store.local, codec, link);
    await store.close();

    const older = await refusal(() => trustEpoch(read(), given(documentOf(epochs, 2)), cryptography));

    expect(older).to.match(
      /^doc\.json is the document of epoch 2, and the folder .* has come to epoch 3: leave out --epoch/,
    );
    expect((await trustEpoch(read(), given(documentOf(epochs, 1)), cryptography)).trusted?.links.length).to.equal(1);
    expect(await epochsIn(read())).to.equal(3);
  });

  it("is told that it was led astray where it knows another epoch than the document", async () => {
    const folder = await knowing(await init(), script(true), 2);
    const message = await refusal(() => trustEpoch(folder, given(documentOf(script())), cryptography));
    expect(message).to.match(/have two different epochs 2: the keys of an earlier one were misused/);
    expect(existsSync(join(folder.path, EPOCH_FILE))).to.equal(false);
  });

  it("gives it anew with its store, and loses nothing where that is refused", async () => {
    const folder = await init();
    const other = { ...documentOf(script()), cluster: "ab".repeat(32) };
    await refusal(() => init({ isDiskLost: true, epoch: given(other) }));
    expect(existsSync(`${folder.storePath}.lost-1`)).to.equal(false);
    const made = await init({ isDiskLost: true, epoch: given(documentOf(script())) });
    expect([made.trusted?.links.length, existsSync(`${folder.storePath}.lost-1`)]).to.deep.equal([3, true]);
  });

  it("what its store noted below the epoch may end anywhere, and what it noted above may not", () => {
    const epochs = script();
    epochs.idle(2);
    const { trusted } = epochs.chainAt(3);
    const readFrom = (noted: readonly number[]): number => {
      const records = noted.map((epoch): [Uint8Array, Uint8Array] => [
        keyAt(epoch),
        codec.encodeEpochLink(epochs.links[epoch - 1]!),
      ]);
      const range = (from: Uint8Array): typeof records => records.filter(([key]) => Buffer.compare(key, from) >= 0);
      const options = { genesis, trusted, codec, hasher, cluster, verifier: newVerifier() };
      return readEpochs({ range, get: () => undefined } as never, options).epoch;
    };
    expect([[], [1], [1, 2, 3], [4], [1, 4, 5]].map(readFrom)).to.deep.equal([3, 3, 3, 4, 5]);
    expect(() => readFrom([5])).to.throw(/not those of the epochs from 4 on/);
  });
});

function keyAt(epoch: number): Uint8Array {
  const key = new Uint8Array(19);
  key.set(new TextEncoder().encode("host/epoch/"));
  new DataView(key.buffer).setUint32(15, epoch);
  return key;
}

describe("who the replica of a folder is", () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "quorate-standing-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  /** That of a replica that joined in epoch 2 of these, by the links that it knows. */
  async function standingAt(epochs: ScriptedEpochs, seed: Uint8Array): Promise<ReturnType<typeof standingOf>> {
    const key = keyFileOf(backend, seed);
    const text = JSON.stringify(genesis);
    const options = {
      genesis: { text, source: "g.json" },
      key,
      observes: true,
      listen: "127.0.0.1:7104",
      backend,
      hasher,
    };
    const folder = await initReplicaFolder({ path: join(root, "joiner"), ...options });
    const store = openStoreOf(folder);
    for (const link of epochs.links) writeEpochLink(store.local, codec, link);
    await store.close();
    return standingOf(folder, cryptography);
  }

  it("is looked for in all epochs that its store knows", async () => {
    const epochs = script();
    const seed = epochs.seedOf(replicaId(4));
    expect(await standingAt(epochs, seed)).to.deep.include({ epoch: 3, wasMember: true, isKnown: true });
    const folder = readReplicaFolder(join(root, "joiner"), backend, hasher);
    expect((await standingOf(folder, cryptography)).member?.id).to.equal(4);

    rmSync(folder.storePath, { recursive: true });
    const lost = await standingOf(folder, cryptography);
    expect([lost.member, lost.wasMember, lost.isKnown]).to.deep.equal([undefined, false, false]);
  });

  it("is known of one that has left", async () => {
    const epochs = script();
    const seed = epochs.seedOf(replicaId(4));
    epochs.leave(replicaId(4));
    const { member, wasMember } = await standingAt(epochs, seed);
    expect([member, wasMember]).to.deep.equal([undefined, true]);
  });

  it("is asked of its own store only", async () => {
    await standingAt(newScript(), seedOf("stranger"));
    const folder = readReplicaFolder(join(root, "joiner"), backend, hasher);
    const foreign = { ...folder, cluster: new ScriptedEpochs().cluster };
    let error: unknown;
    await standingOf(foreign, cryptography).catch((thrown: unknown) => (error = thrown));
    expect(error).to.be.instanceOf(StorageError).with.property("code", "storage.foreign");
  });
});
