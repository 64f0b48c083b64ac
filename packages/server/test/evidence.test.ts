import {
  accusedOf,
  type Commit,
  type Envelope,
  type Evidence,
  epochNumber,
  type PreparedClaim,
  replicaId,
  sequenceNumber,
  type UniqueMessage,
  viewNumber,
} from "@quorate/protocol";
import {
  ConfigurationError,
  checkEvidenceProof,
  describeEvidence,
  EvidenceShelf,
  evidenceDocumentOf,
  parseEvidenceDocument,
  RecoveryError,
} from "@quorate/server";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { LEAVERS_MAX } from "../dist/evidence-shelf.js";
import {
  bareViewChangeOf,
  cluster,
  codec,
  digestOf,
  envelopeOf,
  genesis,
  hasher,
  membership,
  newEpochs,
  newScript,
  newVerifier,
  newViewOf,
} from "./builders.ts";

const epoch = epochNumber(0);
const view = viewNumber(1);
const seq = sequenceNumber(12);
const [a, b] = [digestOf("a"), digestOf("b")];
const [shortA, shortB] = [a.slice(0, 16), b.slice(0, 16)];

const pairOf = (first: UniqueMessage, second: UniqueMessage): Evidence => ({
  type: "equivocation",
  first: envelopeOf(1, first),
  second: envelopeOf(1, second),
});
const votesOf = (type: "pre-prepare" | "prepare" | "commit"): Evidence =>
  pairOf({ type, epoch, view, seq, digest: a }, { type, epoch, view, seq, digest: b });
const stable = { seq: sequenceNumber(8), stateRoot: a };
const claimsOf = (count: number): PreparedClaim[] =>
  Array.from({ length: count }, (_, i) => ({ seq: sequenceNumber(9 + i), view: viewNumber(0), digest: b }));
const viewChangeOf = (count: number): UniqueMessage => ({
  type: "view-change",
  epoch,
  view,
  stable,
  prepared: claimsOf(count),
});
const unjustified: Evidence = {
  type: "unjustified-new-view",
  newView: newViewOf([b]).newView.envelope,
  viewChanges: [0, 1, 2].map((id) => bareViewChangeOf(id).viewChange.envelope),
};
const every: readonly Evidence[] = [
  votesOf("pre-prepare"),
  votesOf("prepare"),
  votesOf("commit"),
  pairOf({ type: "checkpoint", epoch, seq, stateRoot: a }, { type: "checkpoint", epoch, seq, stateRoot: b }),
  pairOf(viewChangeOf(0), viewChangeOf(6)),
  pairOf(newViewOf().newView.envelope.message, newViewOf([b]).newView.envelope.message),
  unjustified,
];

describe("describeEvidence", () => {
  it("says who signed which two contents for which place", () => {
    for (const type of ["pre-prepare", "prepare", "commit"] as const)
      expect(describeEvidence(votesOf(type))).to.equal(
        `replica 1 signed two different ${type.toUpperCase()}s for sequence number 12 in view 1: batch ${shortA}; and batch ${shortB}`,
      );
    expect(describeEvidence(every[3] as Evidence)).to.equal(
      `replica 1 signed two different CHECKPOINTs for sequence number 12: state root ${shortA}; and state root ${shortB} (it lies, its state diverged, or it has lost its disk)`,
    );
  });

  it("says what two VIEW-CHANGEs claim, and of many claims how many more there are", () => {
    expect(describeEvidence(every[4] as Evidence)).to.equal(
      `replica 1 signed two different VIEW-CHANGEs for view 1: stable checkpoint 8 with state root ${shortA}, prepared nothing; and ` +
        `stable checkpoint 8 with state root ${shortA}, prepared ${[9, 10, 11, 12].map((n) => `${n} (view 0, batch ${shortB})`).join(", ")} and 2 more`,
    );
  });

  it("says what a NEW-VIEW proposes, against another and by itself", () => {
    const proposed = `proposed again 1 (batch ${shortB})`;
    const senders = "from the VIEW-CHANGEs of replicas 0, 1, 2, after checkpoint 0,";
    expect(describeEvidence(every[5] as Evidence)).to.equal(
      `replica 1 signed two different NEW-VIEWs for view 1: ${senders} proposed again nothing; and ${senders} ${proposed}`,
    );
    expect(describeEvidence(unjustified)).to.equal(
      `replica 1 signed a NEW-VIEW for view 1 that does not follow from the VIEW-CHANGEs it names (of replicas 0, 1, 2): ${senders} ${proposed}`,
    );
  });
});

describe("an evidence document", () => {
  const textOf = (evidence: Evidence): string =>
    JSON.stringify(evidenceDocumentOf(evidence, cluster, codec, newEpochs()));
  const parse = (text: string): Evidence => parseEvidenceDocument(text, "the file", cluster, codec).evidence;
  const refuses = (change: (document: Record<string, unknown>) => void, message: RegExp): void => {
    const document = JSON.parse(textOf(votesOf("prepare")));
    change(document);
    expect(() => parse(JSON.stringify(document)), String(message)).to.throw(ConfigurationError, message);
  };

  it("proves the same after its way through a file, of every kind", () => {
    for (const evidence of every) {
      const read = parse(textOf(evidence));
      expect(read, evidence.type).to.deep.equal(evidence);
      expect(newVerifier().verifyEvidence(read, membership), describeEvidence(evidence)).to.equal(true);
    }
  });

  it("is refused when it is another's, of another version, cut short, or has other fields", () => {
    refuses((document) => Object.assign(document, { cluster: digestOf("other") }), /evidence from cluster/);
    refuses((document) => Object.assign(document, { formatVersion: 4 }), /format version 4/);
    refuses((document) => Object.assign(document, { evidence: String(document.evidence).slice(0, -1) }), /cut in half/);
    refuses(
      (document) => Object.assign(document, { evidence: String(document.evidence).slice(0, -2) }),
      /holds no evidence: truncated/,
    );
    refuses((document) => Object.assign(document, { evidence: "zz" }), /evidence must match/);
    refuses((document) => Object.assign(document, { note: "trust me" }), /note is not a field of this document/);
    expect(() => parse("{")).to.throw(ConfigurationError, /the file is not JSON/);
  });
});

describe("an evidence document of a later epoch", () => {
  const script = newScript();
  script.rotateKey(replicaId(1));
  script.rotateKey(replicaId(1));
  /** Replica 1 with the key that it has in an epoch. */
  const signed = (of: number, label: string): Envelope<Commit> =>
    script
      .signerOf(replicaId(1), of)
      .sign<Commit>({ type: "commit", epoch: epochNumber(2), view, seq, digest: digestOf(label) });
  const against = (of: number): Evidence => ({ type: "equivocation", first: signed(of, "a"), second: signed(of, "b") });
  const document = (evidence: Evidence): Record<string, unknown> =>
    JSON.parse(JSON.stringify(evidenceDocumentOf(evidence, cluster, codec, script.chainAt(2))));
  const check = (given: Record<string, unknown>): void => {
    const proof = parseEvidenceDocument(JSON.stringify(given), "the file", cluster, codec);
    checkEvidenceProof(proof, "the file", genesis, { cluster, hasher, verifier: newVerifier() });
  };

  it("carries the links to its epoch, and convicts by the genesis document alone", () => {
    const given = document(against(2));
    expect(given.links).to.have.length(2);
    check(given);
    expect(() => check(document(against(1))), "by an earlier key").to.throw(/a signature is not valid/);
  });

  it("is worth nothing with a link that is missing, in another place, changed, or one too many", () => {
    const given = document(against(2));
    const [first, second] = given.links as [string, string];
    const refuses = (links: string[], message: RegExp): void => {
      expect(() => check({ ...given, links })).to.throw(ConfigurationError, message);
    };
    refuses([], /against replica 1: the link that begins epoch 1 is missing; do not act on it/);
    refuses([first], /the link that begins epoch 2 is missing/);
    refuses([second, first], /the link that begins epoch 1 is missing, another stands in its place/);
    refuses([first, second, second], /the link that begins epoch 3 leads beyond what it proves/);
    refuses([first, second.slice(2)], /links\.1 is no link of an epoch chain/);
    refuses([first, "zz"], /links\.1 must match/);
    const middle = second.length / 2 - ((second.length / 2) % 2);
    const flipped = `${second.slice(0, middle)}${second[middle] === "0" ? "1" : "0"}${second.slice(middle + 1)}`;
    refuses([first, flipped], /epoch 2 is not signed|in the link that begins epoch 2 is not|links\.1 is no link/);
  });
});

describe("EvidenceShelf.kept", () => {
  const ids = membership.members.map(({ id }) => id);

  it("gives every piece back with an id of its own, by the accused", () => {
    const shelf = new EvidenceShelf(createMemoryStore().local, codec, hasher, ids);
    const ofTwo = { ...votesOf("commit"), first: { ...envelopeOf(2, { ...aCommit, digest: a }) } } as Evidence;
    shelf.keep(ofTwo);
    for (const evidence of every) shelf.keep(evidence);

    const kept = [...shelf.kept()];

    expect(kept).to.have.length(every.length + 1);
    expect(new Set(kept.map(({ id }) => id)).size).to.equal(kept.length);
    for (const { id, evidence } of kept) expect(id).to.equal(hasher.digest(codec.encodeEvidence(evidence)));
    expect(kept.at(-1)?.evidence, "after those against replica 1").to.deep.equal(ofTwo);
    expect(kept.map(({ evidence }) => evidence)).to.have.deep.members([...every, ofTwo]);
  });

  it("says that the disk is damaged when a piece does not decode", () => {
    const store = createMemoryStore();
    const shelf = new EvidenceShelf(store.local, codec, hasher, ids);
    shelf.keep(unjustified);
    const [entry] = [...store.local.range(new Uint8Array(), undefined)];
    if (entry === undefined) throw new Error("nothing is kept");
    store.local.write([{ key: entry[0], value: entry[1].subarray(1) }]);

    expect(() => [...shelf.kept()]).to.throw(RecoveryError, /evidence [0-9a-f]{64} on this disk does not decode/);
  });

  it("gives what is kept against those who have left, of so many of them, the last, and what is kept against members", () => {
    const store = createMemoryStore();
    const left = LEAVERS_MAX + 2;
    const everyone = Array.from({ length: left + 1 }, (_, id) => replicaId(id));
    const then = new EvidenceShelf(store.local, codec, hasher, everyone);
    for (const id of everyone) {
      const { first, second } = votesOf("commit") as Extract<Evidence, { type: "equivocation" }>;
      then.keep({ type: "equivocation", first: { ...first, from: id }, second: { ...second, from: id } });
    }
    expect(then.count).to.equal(everyone.length);

    // The first of all is a member still.
    const now = new EvidenceShelf(store.local, codec, hasher, [replicaId(0)]);

    const ids = [0, ...Array.from({ length: LEAVERS_MAX }, (_, at) => left + 1 - LEAVERS_MAX + at)];
    expect([...now.kept()].map(({ evidence }) => accusedOf(evidence))).to.deep.equal(ids);
    expect([now.count, new EvidenceShelf(store.local, codec, hasher).count]).to.deep.equal([ids.length, ids.length]);
  });

  it("lists nothing against strangers", () => {
    const shelf = new EvidenceShelf(createMemoryStore().local, codec, hasher, [replicaId(0)]);
    expect([shelf.keep(unjustified), [...shelf.kept()]]).to.deep.equal([false, []]);
  });
});

const aCommit = { type: "commit", epoch, view, seq } as const;
