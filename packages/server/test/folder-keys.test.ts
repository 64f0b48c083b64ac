import { existsSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { epochNumber, type Member, replicaId } from "@quorate/protocol";
import {
  FolderKeys,
  initReplicaFolder,
  keyFileOf,
  memberIn,
  type ReplicaFolder,
  readReplicaFolder,
  writeWhole,
} from "@quorate/server";
import { expect } from "chai";
import { hasBegunForGood } from "../dist/folder-keys.js";
import { backend, digestOf, genesis, hasher, membership, seedOf, seqOf } from "./builders.ts";

const [old, next] = [keyFileOf(backend, seedOf("replica 1")), keyFileOf(backend, seedOf("replica 1 anew"))];

describe("the keys in the folder of a replica", () => {
  let root: string;
  let folder: ReplicaFolder;
  let said: unknown[];
  let keys: FolderKeys;
  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), "quorate-keys-"));
    const text = JSON.stringify(genesis);
    folder = await initReplicaFolder({
      path: join(root, "r"),
      genesis: { text, source: "g" },
      key: old,
      backend,
      hasher,
    });
    said = [];
    const log = { info: (...line: unknown[]) => said.push(line), warn: (...line: unknown[]) => said.push(line) };
    keys = new FolderKeys({ folder, backend, log: log as never });
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const file = (name: string): string => join(folder.path, name);
  const put = (text = JSON.stringify(next)): void => writeFileSync(file("key.next.json"), text, { mode: 0o600 });
  const held = (): string[] => keys.held.map(({ publicKey }) => publicKey);
  const turned: Member[] = membership.members.map((member) =>
    member.id === 1 ? { ...member, publicKey: backend.publicKeyOf(seedOf("replica 1 anew")) } : member,
  );

  it("are those of its files, of which one may appear while it runs", () => {
    expect(held()).to.deep.equal([old.publicKey]);
    put();
    expect(held()).to.deep.equal([old.publicKey, next.publicKey]);
    expect(keys.seedOf(turned[1]!.publicKey)).to.deep.equal(seedOf("replica 1 anew"));
    expect(readReplicaFolder(folder.path, backend, hasher).keys).to.have.length(2);
  });

  it("are not changed by an epoch in which the new one is nobody's yet", () => {
    put();
    keys.onBegun(membership);
    expect(held()).to.deep.equal([old.publicKey, next.publicKey]);
    expect(existsSync(file("key.next.json"))).to.equal(true);
  });

  it("are the new one alone once its epoch has begun, and nothing of the old one is left on the disk", () => {
    put();
    const before = openSync(file("key.json"), "r");

    keys.onBegun({ epoch: epochNumber(1), members: turned });

    expect(held()).to.deep.equal([next.publicKey]);
    expect(existsSync(file("key.next.json"))).to.equal(false);
    expect(JSON.parse(readFileSync(file("key.json"), "utf8"))).to.deep.equal(next);
    expect(statSync(file("key.json")).mode & 0o777).to.equal(0o600);
    expect(readSync(before, new Uint8Array(100), 0, 100, 0), "bytes of the old file").to.equal(0);
    expect(
      folder.keys[0]?.seed.every((byte) => byte === 0),
      "the old seed in memory",
    ).to.equal(true);
    expect(said).to.have.length(1);
    // It is the same folder: its name is the first key.
    const again = readReplicaFolder(folder.path, backend, hasher);
    expect(again.owner).to.equal(old.publicKey);
    expect(memberIn({ members: turned }, again)?.id).to.equal(replicaId(1));
    expect(memberIn(membership, again)).to.equal(undefined);
  });

  it("are the old one alone at a start with a new file that is not whole, and the start goes on", () => {
    const { seed } = keyFileOf(backend, seedOf("another"));
    for (const text of ["", JSON.stringify(next).slice(0, 60), "{}", JSON.stringify({ ...next, seed })]) {
      put(text);
      const again = readReplicaFolder(folder.path, backend, hasher);
      expect(again.keys.map(({ publicKey }) => publicKey)).to.deep.equal([old.publicKey]);
    }
    put();
    expect(readReplicaFolder(folder.path, backend, hasher).keys).to.have.length(2);
  });

  it("come in a file that is there as a whole or not at all, and is never overwritten", () => {
    const path = file("key.next.json");
    writeFileSync(`${path}.part`, "of one that was cut short");
    writeWhole(path, JSON.stringify(next), 0o600);
    expect(existsSync(`${path}.part`)).to.equal(false);
    expect(statSync(path).mode & 0o777).to.equal(0o600);
    expect(held()).to.deep.equal([old.publicKey, next.publicKey]);
    expect(() => writeWhole(path, "{}", 0o600)).to.throw(/it is not overwritten$/);
    expect(JSON.parse(readFileSync(path, "utf8"))).to.deep.equal(next);
  });

  it("go on as they were while the new file is not whole, and that is told once", () => {
    put(JSON.stringify(next).slice(0, 60));
    for (let i = 0; i < 3; i++) expect(held()).to.deep.equal([old.publicKey]);
    expect(said).to.have.length(1);
    expect(JSON.stringify(said)).to.not.include(next.seed.slice(0, 12));
    put();
    expect(held()).to.deep.equal([old.publicKey, next.publicKey]);
  });
});

describe("an epoch that is known", () => {
  const start = { seq: seqOf(16), stateRoot: digestOf("state") };
  const hasBegun = (epoch: number, lowWatermark: number): boolean =>
    hasBegunForGood({ epoch: epochNumber(1), start }, { epoch: epochNumber(epoch), lowWatermark: seqOf(lowWatermark) });

  it("has begun for good where a host lives in it at its start or above", () => {
    expect([hasBegun(1, 16), hasBegun(1, 24)]).to.deep.equal([true, true]);
    expect(hasBegun(1, 8), "not there yet").to.equal(false);
  });

  it("has not while the host of the one before is at its end: the link may not be durable", () => {
    expect([hasBegun(0, 8), hasBegun(0, 16)]).to.deep.equal([false, false]);
  });

  it("has always, if it is that of genesis", () => {
    expect(hasBegunForGood(membership, { epoch: epochNumber(0), lowWatermark: seqOf(0) })).to.equal(true);
  });
});
