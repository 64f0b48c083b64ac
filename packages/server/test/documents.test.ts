import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  advertisedAddress,
  ConfigurationError,
  initReplicaFolder,
  keyFileOf,
  memberIn,
  parseGenesis,
  parseKeyFile,
  parseReplicaConfig,
  type ReplicaFolder,
  readReplicaFolder,
} from "@quorate/server";
import { SCRUB_BYTES_PER_SECOND } from "@quorate/server/host";
import { openStore } from "@quorate/storage";
import { expect } from "chai";
import { backend, genesis, hasher, seedOf } from "./builders.ts";

const plain = JSON.parse(JSON.stringify(genesis)) as Record<string, unknown>;
const members = plain.members as Record<string, unknown>[];
const textOf = (change: Record<string, unknown>): string => JSON.stringify({ ...plain, ...change });
const key = keyFileOf(backend, seedOf("replica 1"));

/** The error of `act`, which must be one line that names the file. */
function refusalOf(act: () => unknown): ConfigurationError {
  try {
    act();
  } catch (error) {
    expect(error).to.be.instanceOf(ConfigurationError);
    const refusal = error as ConfigurationError;
    expect(refusal.message).not.to.include("\n");
    return refusal;
  }
  throw new Error("nothing was refused");
}

describe("genesis documents", () => {
  it("a good one is read as it was", () => {
    expect(parseGenesis(JSON.stringify(plain), "g.json")).to.deep.equal(genesis);
  });

  const table: { name: string; text: string; code: string; says: RegExp }[] = [
    { name: "no JSON", text: "{", code: "malformed", says: /not JSON/ },
    { name: "no object", text: "[]", code: "malformed", says: /the document/ },
    { name: "a later version", text: textOf({ formatVersion: 4 }), code: "version", says: /version 4.* speaks 3/ },
    { name: "an earlier version", text: textOf({ formatVersion: 2 }), code: "version", says: /version 2.* speaks 3/ },
    { name: "a missing field", text: textOf({ members: undefined }), code: "malformed", says: /members/ },
    { name: "a field too many", text: textOf({ extra: 1 }), code: "malformed", says: /not a field/ },
    { name: "another fault model", text: textOf({ faultModel: "crash" }), code: "malformed", says: /faultModel/ },
    { name: "three members", text: textOf({ members: members.slice(1) }), code: "inconsistent", says: /./ },
    {
      name: "a member twice",
      text: textOf({ members: [...members.slice(1), members[1]] }),
      code: "inconsistent",
      says: /./,
    },
    {
      name: "a short key",
      text: textOf({ members: [{ ...members[0], publicKey: "ab" }, ...members.slice(1)] }),
      code: "malformed",
      says: /members\.0\.publicKey/,
    },
    {
      name: "an address without a port",
      text: textOf({ members: [{ ...members[0], address: "host" }, ...members.slice(1)] }),
      code: "inconsistent",
      says: /host/,
    },
    { name: "a window that is no multiple of K", text: textOf({ windowSize: 17 }), code: "inconsistent", says: /./ },
    { name: "a fraction", text: textOf({ checkpointInterval: 1.5 }), code: "malformed", says: /checkpointInterval/ },
    {
      name: "a limit out of bounds",
      text: textOf({ limits: { ...(plain.limits as object), batchRequestsMax: 0 } }),
      code: "malformed",
      says: /limits\.batchRequestsMax/,
    },
  ];
  for (const { name, text, code, says } of table)
    it(`${name} is refused in one line that names the file and the place`, () => {
      const refusal = refusalOf(() => parseGenesis(text, "g.json"));
      expect([refusal.code, refusal.message.startsWith("g.json")]).to.deep.equal([`configuration.${code}`, true]);
      expect(refusal.message).to.match(says);
    });
});

describe("key files", () => {
  it("a good one is read as it was", () => {
    expect(parseKeyFile(JSON.stringify(key), "key.json")).to.deep.equal(key);
  });

  const secret = key.seed;
  const broken = [
    { name: "that is cut", text: JSON.stringify(key).slice(0, -2) },
    { name: "with a seed too long", text: JSON.stringify({ ...key, seed: `${secret}00` }) },
    { name: "with the seed under another name", text: JSON.stringify({ ...key, seed: undefined, secret }) },
    { name: "with the seed where a field's name belongs", text: JSON.stringify({ ...key, [secret]: 1 }) },
    { name: "of another type", text: JSON.stringify({ ...key, type: secret }) },
    { name: "of another version", text: JSON.stringify({ ...key, formatVersion: 7 }) },
    { name: "with the seed as its version", text: JSON.stringify({ ...key, formatVersion: secret }) },
    { name: "that is the bare seed", text: secret },
  ];
  for (const { name, text } of broken)
    it(`one ${name} is refused without telling the secret`, () => {
      expect(refusalOf(() => parseKeyFile(text, "key.json")).message).not.to.include(secret.slice(0, 12));
    });
});

describe("the configuration of a replica", () => {
  const plainConfig = {
    formatVersion: 3,
    owner: key.publicKey,
    listen: "127.0.0.1:7101",
    admin: "127.0.0.1:8101",
    durability: "sync",
    historyBytesMax: 1024 * 1024,
  };
  const defaults = { peers: [], scrubBytesPerSecond: SCRUB_BYTES_PER_SECOND, stateCompression: true };
  const parsed = (service?: unknown) =>
    parseReplicaConfig(JSON.stringify({ ...plainConfig, ...(service !== undefined && { service }) }), "r/replica.json");

  it("that names no service is that of the key-value store, as folders are that know no such field", () => {
    expect(parsed()).to.deep.equal({ ...plainConfig, ...defaults, service: null });
    expect(parsed(null)).to.deep.equal({ ...plainConfig, ...defaults, service: null });
  });

  it("says how fast the scrubber is, from not at all", () => {
    for (const scrubBytesPerSecond of [0, 4096])
      expect(parseReplicaConfig(JSON.stringify({ ...plainConfig, scrubBytesPerSecond }), "r")).to.include({
        scrubBytesPerSecond,
      });
    expect(() => parseReplicaConfig(JSON.stringify({ ...plainConfig, scrubBytesPerSecond: -1 }), "r")).to.throw(
      "scrubBytesPerSecond",
    );
  });

  it("says whether the state is compressed on its way", () => {
    expect(parseReplicaConfig(JSON.stringify({ ...plainConfig, stateCompression: false }), "r")).to.include({
      stateCompression: false,
    });
    expect(() => parseReplicaConfig(JSON.stringify({ ...plainConfig, stateCompression: 1 }), "r")).to.throw(
      "stateCompression",
    );
  });

  it("names a service by its absolute path", () => {
    expect(parsed("/srv/counter.mjs")).to.deep.equal({
      ...plainConfig,
      ...defaults,
      service: "/srv/counter.mjs",
    });
  });

  it("is refused with a path that is relative to nobody knows what", () => {
    const { code, message } = refusalOf(() => parsed("./counter.mjs"));
    expect([code, message]).to.deep.equal([
      "configuration.inconsistent",
      "r/replica.json: service is ./counter.mjs, expected an absolute path, or null for the key-value store",
    ]);
  });

  for (const wrong of ["", 7, false])
    it(`is refused with the service ${JSON.stringify(wrong)}`, () => {
      const { code, message } = refusalOf(() => parsed(wrong));
      expect(code).to.equal("configuration.malformed");
      expect(message).to.match(/^r\/replica\.json: service /);
    });

  it("is still refused without any other field, or with one too many", () => {
    for (const name of Object.keys(plainConfig).filter((field) => field !== "formatVersion")) {
      const text = JSON.stringify({ ...plainConfig, [name]: undefined });
      expect(refusalOf(() => parseReplicaConfig(text, "r")).message, name).to.include(name);
    }
    const more = JSON.stringify({ ...plainConfig, services: null });
    expect(refusalOf(() => parseReplicaConfig(more, "r")).message).to.match(/services is not a field/);
  });
});

describe("the data folder of a replica", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "quorate-folder-"));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const init = (path: string, change: Partial<Parameters<typeof initReplicaFolder>[0]> = {}) =>
    initReplicaFolder({
      path,
      genesis: { text: JSON.stringify(plain), source: "g.json" },
      key,
      backend,
      hasher,
      ...change,
    });
  async function refusal(act: () => Promise<unknown>): Promise<ConfigurationError> {
    try {
      await act();
    } catch (error) {
      return refusalOf(() => {
        throw error;
      });
    }
    throw new Error("nothing was refused");
  }

  it("is made once, and its private key is for its owner only", async () => {
    const path = join(root, "r1");
    const made = await init(path);
    expect([made.owner, made.config.listen]).to.deep.equal([key.publicKey, "127.0.0.1:7101"]);
    expect(memberIn(made.genesis, made)?.id).to.equal(1);
    expect(statSync(join(path, "key.json")).mode & 0o777).to.equal(0o600);
    expect(statSync(path).mode & 0o777).to.equal(0o700);
    expect(readReplicaFolder(path, backend, hasher)).to.deep.equal(made);
  });

  it("is not to be made again when this user may not read it", async () => {
    const path = join(root, "r1");
    await init(path);
    const isRoot = process.geteuid?.() === 0;
    for (const folder of [root, path]) chmodSync(folder, 0o755);
    chmodSync(join(path, "replica.json"), 0);

    // Nothing is refused to root.
    if (isRoot) process.seteuid?.(65_534);
    try {
      const { code, message } = refusalOf(() => readReplicaFolder(path, backend, hasher));
      expect(code).to.equal("configuration.unreadable");
      expect(message).to.match(/\(EACCES\): let the user of this process read it$/);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  });

  it("is not made again, and stays as it was", async () => {
    const path = join(root, "r1");
    await init(path);
    const before = readFileSync(join(path, "key.json"), "utf8");
    const again = await refusal(() => init(path, { key: keyFileOf(backend, seedOf("replica 2")) }));
    expect(again.code).to.equal("configuration.exists");
    expect(readFileSync(join(path, "key.json"), "utf8")).to.equal(before);
  });

  it("is not made for a key that is no member's", async () => {
    const { code } = await refusal(() => init(join(root, "x"), { key: keyFileOf(backend, seedOf("stranger")) }));
    expect(code).to.equal("configuration.wrong-key");
  });

  it("of an observer has any other key, and says itself where it listens, what others dial and whom it dials", async () => {
    const stranger = keyFileOf(backend, seedOf("stranger"));
    const spare = { key: stranger, observes: true, listen: "0.0.0.0:7105" };
    const mine = { ...spare, advertise: "spare.example:7105", peers: ["127.0.0.1:7100"] };

    const made = await init(join(root, "spare"), mine);

    expect([made.owner, made.config.peers]).to.deep.equal([stranger.publicKey, ["127.0.0.1:7100"]]);
    expect([memberIn(made.genesis, made), advertisedAddress(made.config)]).to.deep.equal([
      undefined,
      "spare.example:7105",
    ]);
    const hidden = await init(join(root, "hidden"), spare);
    expect(advertisedAddress(hidden.config), "who listens everywhere").to.equal(undefined);
    const member = await refusal(() => init(join(root, "x"), { observes: true, listen: "127.0.0.1:7105" }));
    const silent = await refusal(() => init(join(root, "x"), { key: stranger, observes: true }));
    expect([member.code, silent.code]).to.deep.equal(["configuration.foreign", "configuration.inconsistent"]);
  });

  it("of an observer that was not made to its end is made again, with the key that it has", async () => {
    const stranger = keyFileOf(backend, seedOf("stranger"));
    const options = { key: stranger, observes: true, listen: "127.0.0.1:7105" };
    const path = join(root, "spare");
    await init(path, options);
    rmSync(join(path, "replica.json"));

    expect((await init(path, options)).owner).to.equal(stranger.publicKey);
  });

  /** What says, in the store of a folder, that it stands in the place of a lost one. */
  async function nonceIn({ storePath, cluster, owner }: ReplicaFolder): Promise<unknown> {
    const store = openStore(storePath, { cluster, owner });
    await store.close();
    return store.lossNonce;
  }

  it("of an observer has a store that nobody ran on, or one with the mark of a loss where there was one", async () => {
    const options = { key: keyFileOf(backend, seedOf("stranger")), observes: true, listen: "127.0.0.1:7105" };
    const path = join(root, "spare");
    expect(await nonceIn(await init(path, options)), "of a fresh folder").to.equal(undefined);
    rmSync(join(path, "replica.json"));
    const nonce = await nonceIn(await init(path, options));
    expect(nonce, "over a store").to.be.a("string");
    expect(existsSync(join(path, "store.lost-1"))).to.equal(true);

    for (const name of ["replica.json", "store"]) rmSync(join(path, name), { recursive: true });
    const again = await nonceIn(await init(path, options));
    expect(again, "after one that was cut short").to.be.a("string");
    expect(again).to.not.equal(nonce);
  });

  it("of a member that joined later is made after a loss without a word about genesis, which does not know it", async () => {
    const key = keyFileOf(backend, seedOf("stranger"));
    const lost = { key, isDiskLost: true };

    const made = await init(join(root, "later"), { ...lost, listen: "127.0.0.1:7105", peers: ["127.0.0.1:7100"] });

    expect([made.owner, memberIn(made.genesis, made)]).to.deep.equal([key.publicKey, undefined]);
    expect(await nonceIn(made)).to.be.a("string");
    const silent = await refusal(() => init(join(root, "x"), lost));
    const other = await refusal(() => init(join(root, "x"), { ...lost, replica: 2, listen: "127.0.0.1:7105" }));
    expect([silent.code, other.code]).to.deep.equal(["configuration.inconsistent", "configuration.wrong-key"]);
  });

  it("is not made for a member with another's key, nor for one that is none", async () => {
    const wrong = await refusal(() => init(join(root, "x"), { replica: 2 }));
    const foreign = await refusal(() => init(join(root, "y"), { replica: 9 }));
    expect([wrong.code, foreign.code]).to.deep.equal(["configuration.wrong-key", "configuration.foreign"]);
  });

  it("is not made with halves of two key pairs", async () => {
    const { publicKey } = keyFileOf(backend, seedOf("replica 1"));
    const halves = { ...keyFileOf(backend, seedOf("replica 2")), publicKey };
    const { code, message } = await refusal(() => init(join(root, "x"), { key: halves }));
    expect([code, message.includes(halves.seed)]).to.deep.equal(["configuration.wrong-key", false]);
  });

  it("a folder that is none says how to make one", () => {
    const { code, message } = refusalOf(() => readReplicaFolder(root, backend, hasher));
    expect([code, /quorate init/.test(message)]).to.deep.equal(["configuration.missing", true]);
  });

  it("a key of another replica in the folder is found", async () => {
    const path = join(root, "r1");
    await init(path);
    writeFileSync(join(path, "key.json"), JSON.stringify(keyFileOf(backend, seedOf("replica 2"))));
    expect(refusalOf(() => readReplicaFolder(path, backend, hasher)).code).to.equal("configuration.wrong-key");
  });
});
