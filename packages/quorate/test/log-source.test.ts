import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { createBatchComposer } from "@quorate/crypto";
import {
  type Commit,
  type CommittedEntry,
  EPOCH_LINKS_MAX,
  type EpochLink,
  epochNumber,
  publicKey,
  quorumSize,
  replicaId,
  type SequenceNumber,
  sequenceNumber,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { judgesOf, type LoggedNumber, type LogPage, type ReplicaFolder } from "@quorate/server";
import { expect } from "chai";
import { runningItems } from "../dist/cli/log-source.js";

/** A null batch that a quorum of the last epoch of a script has decided. */
function entryOf(script: ScriptedEpochs, seq: SequenceNumber): CommittedEntry {
  const { batch, digest } = createBatchComposer(script.hasher, script.cluster).compose(timestampMs(0), []);
  const place = { epoch: epochNumber(script.epoch), view: viewNumber(0), seq, digest };
  const members = script.membershipAt(script.epoch);
  const signatures = members.members.slice(0, quorumSize(members)).map(({ id }) => ({
    from: id,
    signature: script.signerOf(id).sign<Commit>({ type: "commit", ...place }).signature,
  }));
  return { batch, certificate: { ...place, signatures } };
}

describe("the log of a running replica over epochs", () => {
  const script = new ScriptedEpochs();
  const codec: Codec = createCodec(wireLimitsOf(script.genesis));
  const entries: CommittedEntry[] = [];
  /** The first number of the epoch that the script has come to. */
  const append = (): unknown =>
    entries.push(entryOf(script, sequenceNumber((script.membershipAt(script.epoch).start?.seq ?? 0) + 1)));
  append();
  for (let i = 0; i < EPOCH_LINKS_MAX; i++) script.rotateKey(replicaId(i % 4));
  append();
  script.join();
  append();

  const owner = publicKey("77".repeat(32));
  let server: Server;
  let asked: string[];
  /** What the replica gives for links above an epoch. */
  let linksAbove: (above: number) => readonly EpochLink[];

  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  /** One entry for each page. */
  function pageOf(url: URL): LogPage {
    const [from, above] = [Number(url.searchParams.get("from")), Number(url.searchParams.get("above"))];
    const index = entries.findIndex(({ certificate }) => certificate.seq >= from);
    const entry = entries[index]!;
    const next = entries[index + 1];
    const links = linksAbove(above).map((link) => base64(codec.encodeEpochLink(link)));
    return {
      cluster: script.cluster,
      owner,
      replica: replicaId(0),
      first: 1,
      last: entries.at(-1)!.certificate.seq,
      items: [{ seq: entry.certificate.seq, entry: base64(codec.encodeCommittedEntry(entry)) }],
      ...(links.length > 0 && { links }),
      ...(next !== undefined && { next: next.certificate.seq }),
    };
  }

  beforeEach(async () => {
    asked = [];
    linksAbove = (above) => script.links.slice(above, above + EPOCH_LINKS_MAX);
    server = createServer((request, response) => {
      asked.push(request.url ?? "");
      response.end(JSON.stringify(pageOf(new URL(request.url ?? "", "http://replica"))));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  });
  afterEach(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  async function read(): Promise<LoggedNumber[]> {
    const admin = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { genesis, cluster, backend, hasher } = script;
    const folder = { path: "/data", owner, cluster, genesis, config: { admin } } as unknown as ReplicaFolder;
    const judges = judgesOf(folder, { backend, hasher });
    const items: LoggedNumber[] = [];
    for await (const item of runningItems(folder, judges, { from: 0, to: Number.MAX_SAFE_INTEGER })) items.push(item);
    return items;
  }

  it("is proven from genesis by the links that come with it, as many answers as they take", async () => {
    const items = await read();
    expect(items.map(({ type }) => type)).to.deep.equal(["committed", "committed", "committed"]);
    const above = asked.map((url) => Number(new URL(url, "http://replica").searchParams.get("above")));
    expect(above).to.deep.equal([0, EPOCH_LINKS_MAX, 9, 9]);
  });

  it("says of an entry that its epoch is not known, when the links to it do not come", async () => {
    linksAbove = (above) => (above === 0 ? script.links.slice(0, 3) : []);
    const [first, second, third] = await read();
    expect(first?.type).to.equal("committed");
    expect(second).to.deep.include({ type: "problem", problem: "it is of epoch 8, which is not known here" });
    expect(third).to.deep.include({ type: "problem", problem: "it is of epoch 9, which is not known here" });
  });

  it("ends with one line when a link proves nothing", async () => {
    const complaint = async (): Promise<string> => {
      try {
        await read();
        return "it came whole";
      } catch (error) {
        return error instanceof Error ? error.message : "";
      }
    };
    linksAbove = () => script.links.slice(1, 3);
    expect(await complaint()).to.equal(
      "the replica of /data proves nothing of what was ordered in epoch 1: the link that begins epoch 1 is missing, another stands in its place; ask another replica",
    );
    const [first] = script.links;
    linksAbove = () => [{ ...first!, certificate: { ...first!.certificate, signatures: [] } }];
    expect(await complaint()).to.match(/does not decode|not signed by a quorum/);
  });
});
