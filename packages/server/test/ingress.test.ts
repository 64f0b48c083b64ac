import { digestBatch } from "@quorate/crypto";
import {
  type Batch,
  digest,
  type Envelope,
  type PrePrepare,
  type Prepare,
  type ReplicaFrame,
  type RequestStanding,
  replicaId,
  timestampMs,
  viewNumber,
} from "@quorate/protocol";
import type { ReplicaEvent } from "@quorate/replica";
import { Ingress, type IngressRejection, JUNK_CODES } from "@quorate/server/host";
import { expect } from "chai";
import type { IngressOptions } from "../dist/ingress.js";
import {
  backend,
  bareViewChangeOf,
  clientOf,
  cluster,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  hasher,
  membership,
  newEpochs,
  newScript,
  newVerifier,
  newViewOf,
  requestOf,
  seqOf,
} from "./builders.ts";

const view = viewNumber(0);
const good = composer.compose(timestampMs(1), [requestOf("a")]);
const broken: Batch = {
  ...good.batch,
  requests: good.batch.requests.map((request) => ({ ...request, signature: new Uint8Array(64) })),
};
const proposal: Envelope<PrePrepare> = envelopeOf(0, {
  type: "pre-prepare",
  epoch,
  view,
  seq: seqOf(1),
  digest: good.digest,
});
const prepare: Envelope<Prepare> = envelopeOf(2, { type: "prepare", epoch, view, seq: seqOf(1), digest: good.digest });
const signed = (envelope: Envelope<Prepare>): ReplicaFrame => ({ type: "signed", envelope });

interface Answers {
  readonly redundant?: boolean;
  readonly held?: boolean;
  readonly entry?: boolean;
  readonly certificate?: boolean;
  readonly body?: boolean;
  readonly donor?: boolean;
  readonly standing?: RequestStanding;
  readonly view?: () => number;
  readonly epochs?: IngressOptions["epochs"];
}

/** What became of one frame: the event, the refusals, and how many signatures were verified for it. */
function receive(
  peer: number,
  frame: ReplicaFrame,
  answers: Answers = {},
): {
  event: ReplicaEvent | undefined;
  codes: string[];
  blamed: unknown[];
  verifications: number;
} {
  const refused: IngressRejection[] = [];
  const ingress = ingressOf(answers, refused);
  const before = backend.verifications;
  const event = ingress.fromReplica(replicaId(peer), frame);
  return {
    event,
    codes: refused.map(({ code }) => code),
    blamed: refused.map(({ from }) => from),
    verifications: backend.verifications - before,
  };
}
function ingressOf(answers: Answers, refused: IngressRejection[]): Ingress {
  return new Ingress({
    verifier: newVerifier(),
    membership,
    epochs: answers.epochs ?? newEpochs(),
    relevance: {
      isRedundant: () => answers.redundant === true,
      isProposalHeld: () => answers.held === true,
      isEntryAwaited: () => answers.entry === true,
      isCertificateAwaited: () => answers.certificate === true,
      isBodyAwaited: () => answers.body === true,
      isDonor: () => answers.donor === true,
      isViewChangeRedundant: () => answers.redundant === true,
      isQueryRedundant: () => answers.redundant === true,
      isReplyAwaited: () => answers.redundant !== true,
      isNewViewRedundant: () => answers.redundant === true,
    },
    view: () => viewNumber(answers.view?.() ?? 0),
    digestOf: (batch) => digestBatch(hasher, cluster, batch).digest,
    nowMs: () => 0,
    standingOf: () => answers.standing ?? { type: "executable" },
    reject: (rejection) => refused.push(rejection),
  });
}

describe("Ingress (protocol rule 13.1)", () => {
  it("a vote of the peer itself becomes an event", () => {
    expect(receive(2, signed(prepare)).event).to.deep.equal({ type: "message", envelope: prepare });
  });

  it("a vote in another's name is refused before any signature is looked at", () => {
    const { event, codes, blamed, verifications } = receive(3, signed(prepare));
    expect([event, codes, blamed, verifications]).to.deep.equal([undefined, ["ingress.foreign-vote"], [3], 0]);
  });

  it("a vote with a signature that does not hold is refused", () => {
    const { event, codes } = receive(2, signed({ ...prepare, signature: new Uint8Array(64) }));
    expect([event, codes]).to.deep.equal([undefined, ["ingress.bad-signature"]]);
  });

  const checkpoint = { epoch, seq: seqOf(8), stateRoot: digestOf("root"), signatures: [] };
  const certificate = { epoch, view, seq: seqOf(1), digest: good.digest, signatures: [] };
  const redundant: { name: string; frame: ReplicaFrame; answers: Answers }[] = [
    { name: "vote", frame: signed(prepare), answers: { redundant: true } },
    {
      name: "proposal",
      frame: { type: "pre-prepare", envelope: proposal, batch: good.batch },
      answers: { redundant: true },
    },
    { name: "entry", frame: { type: "committed", entry: { batch: good.batch, certificate } }, answers: {} },
    { name: "body", frame: { type: "batch-body", batch: good.batch }, answers: {} },
    { name: "certificate", frame: { type: "stable-checkpoint", checkpoint }, answers: {} },
    {
      name: "claim to have no history by one that was not asked",
      frame: { type: "below-history", checkpoint },
      answers: {},
    },
  ];
  for (const { name, frame, answers } of redundant)
    it(`a redundant ${name} costs no verification`, () => {
      const { event, codes, verifications } = receive(2, frame, answers);
      expect([event, codes, verifications]).to.deep.equal([undefined, ["ingress.redundant"], 0]);
    });

  it("refuses the frames of state transfer, which nobody asked for", () => {
    const [request, seq] = [1, seqOf(8)];
    const frames: readonly ReplicaFrame[] = [
      { type: "fetch-state", fetch: { request, seq, bytesMax: 1000, takesDeflated: true, items: [] } },
      { type: "deflated-chunk", chunk: { request, seq, length: 2, deflated: Uint8Array.of(1) } },
      { type: "state-chunk", chunk: { request, seq, items: [], left: 0 } },
      { type: "state-unavailable", unavailable: { seq, stable: seq } },
    ];
    for (const frame of frames) {
      const { event, codes, blamed } = receive(2, frame);
      expect([event, codes, blamed], frame.type).to.deep.equal([undefined, ["state-transfer.unexpected"], [2]]);
    }
  });

  const query = envelopeOf(3, {
    type: "query-stable",
    epoch,
    nonce: digestOf("nonce"),
    until: seqOf(16),
    view: viewNumber(2),
  });
  const reply = {
    envelope: envelopeOf(2, {
      type: "reply-stable",
      epoch,
      nonce: digestOf("nonce"),
      stable: { seq: seqOf(0), stateRoot: digest(cluster) },
      view,
    }),
    checkpoint: { epoch, seq: seqOf(0), stateRoot: digest(cluster), signatures: [] },
  };

  it("the question of a mute member comes from it or from anyone who passes it on", () => {
    for (const peer of [3, 0])
      expect(receive(peer, { type: "query-stable", envelope: query }).event).to.deep.equal({
        type: "query-stable",
        from: peer,
        envelope: query,
      });
    const unsigned = { ...query, signature: new Uint8Array(64) };
    expect(receive(0, { type: "query-stable", envelope: unsigned }).codes).to.deep.equal(["ingress.bad-signature"]);
    const repeated = receive(3, { type: "query-stable", envelope: query }, { redundant: true });
    expect([repeated.event, repeated.codes, repeated.verifications]).to.deep.equal([
      undefined,
      ["ingress.redundant"],
      0,
    ]);
  });

  it("questions of mute members have the share of questions", () => {
    const refused: IngressRejection[] = [];
    const ingress = ingressOf({}, refused);
    for (let i = 0; i < 65; i++) ingress.fromReplica(replicaId(3), { type: "query-stable", envelope: query });
    expect(refused.map(({ code }) => code)).to.deep.equal(["ingress.over-budget"]);
  });

  it("an answer to a mute member comes from its signer alone, proven, and when it is awaited", () => {
    const frame = { type: "reply-stable", reply } as const;
    expect(receive(2, frame).event).to.deep.equal({ type: "reply-stable", from: 2, reply });
    expect(receive(1, frame).codes).to.deep.equal(["ingress.foreign-vote"]);
    const unawaited = receive(2, frame, { redundant: true });
    expect([unawaited.codes, unawaited.verifications]).to.deep.equal([["ingress.redundant"], 0]);
    const unproven = {
      ...reply,
      checkpoint: { ...reply.checkpoint, signatures: [{ from: replicaId(1), signature: new Uint8Array(64) }] },
    };
    expect(receive(2, { type: "reply-stable", reply: unproven }).codes).to.deep.equal(["ingress.bad-reply-stable"]);
    expect(JUNK_CODES.has("ingress.bad-reply-stable")).to.equal(true);
  });

  it("a proposal comes with its verified batch, whoever passes it on", () => {
    for (const peer of [0, 2]) {
      const { event } = receive(peer, { type: "pre-prepare", envelope: proposal, batch: good.batch });
      expect(event?.type === "message" && [event.envelope, event.batch?.digest], `${peer}`).to.deep.equal([
        proposal,
        good.digest,
      ]);
    }
  });

  it("a body whose signatures fail is a missing body, and the sender is to blame, not the signer", () => {
    const { event, codes, blamed } = receive(2, { type: "pre-prepare", envelope: proposal, batch: broken });
    expect([event, codes, blamed]).to.deep.equal([
      { type: "message", envelope: proposal, batch: undefined },
      ["ingress.bad-batch"],
      [2],
    ]);
  });

  const other = composer.compose(timestampMs(1), [requestOf("b"), requestOf("c")]).batch;

  it("another body beside a proposal costs no verification of its requests, be it the primary's own", () => {
    for (const peer of [0, 2]) {
      const { event, codes, verifications } = receive(peer, { type: "pre-prepare", envelope: proposal, batch: other });
      expect(event, `${peer}`).to.deep.equal({ type: "message", envelope: proposal, batch: undefined });
      expect([codes, verifications], `${peer}`).to.deep.equal([["ingress.bad-batch"], 1]);
    }
  });

  it("a proposal that is held costs no verification when it is repeated with another body", () => {
    const frame: ReplicaFrame = { type: "pre-prepare", envelope: proposal, batch: other };
    const { event, codes, verifications } = receive(0, frame, { held: true });
    expect([event, codes, verifications]).to.deep.equal([undefined, ["ingress.bad-batch"], 0]);
  });

  it("a proposal that is held is taken again with its body", () => {
    const { event } = receive(2, { type: "pre-prepare", envelope: proposal, batch: good.batch }, { held: true });
    expect(event?.type === "message" && event.batch?.digest).to.equal(good.digest);
  });

  it("an awaited body is verified", () => {
    const awaited = receive(2, { type: "batch-body", batch: good.batch }, { body: true });
    expect(awaited.event?.type === "batch-body" && awaited.event.batch.digest).to.equal(good.digest);
    const spoiled = receive(2, { type: "batch-body", batch: broken }, { body: true });
    expect([spoiled.event, spoiled.codes]).to.deep.equal([undefined, ["ingress.bad-batch"]]);
  });

  it("what rests on a certificate beyond the end of the epoch is no use, as soon as that end is known", () => {
    const script = newScript();
    script.idle(1);
    const end = script.links[0]!.certificate.seq;
    const signatures = [{ from: replicaId(0), signature: new Uint8Array(64) }];
    const certificateOf = (seq: number) => ({ ...checkpoint, seq: seqOf(seq), signatures });
    const { viewChange } = bareViewChangeOf(2);
    const framesAt = (seq: number): ReplicaFrame[] => [
      { type: "stable-checkpoint", checkpoint: certificateOf(seq) },
      { type: "below-history", checkpoint: certificateOf(seq) },
      { type: "committed", entry: { batch: good.batch, certificate: { ...certificate, seq: seqOf(seq), signatures } } },
      { type: "view-change", viewChange: { ...viewChange, checkpoint: certificateOf(seq) } },
    ];
    const codesAt = (seq: number, epochs: IngressOptions["epochs"]): string[] =>
      framesAt(seq).flatMap(
        (frame) => receive(2, frame, { entry: true, certificate: true, donor: true, epochs }).codes,
      );
    const beyond = Array(4).fill("ingress.out-of-epoch");

    expect(codesAt(end + 1, script.chainAt(1))).to.deep.equal(beyond);
    expect(JUNK_CODES.has("ingress.out-of-epoch"), "who passed it on may not know the end").to.equal(false);
    expect(codesAt(end, script.chainAt(1))).to.not.include(beyond[0]);
    expect(codesAt(end + 1, script.chainAt(0))).to.not.include(beyond[0]);
  });

  it("certificates that prove nothing are refused", () => {
    const committed = receive(2, { type: "committed", entry: { batch: good.batch, certificate } }, { entry: true });
    const stable = receive(2, { type: "stable-checkpoint", checkpoint }, { certificate: true });
    const below = receive(2, { type: "below-history", checkpoint }, { donor: true });
    for (const { event, codes } of [committed, stable, below])
      expect([event, codes]).to.deep.equal([undefined, ["ingress.bad-certificate"]]);
  });

  it("a peer's questions have a budget, and its votes are outside of it", () => {
    const refused: IngressRejection[] = [];
    const ingress = ingressOf({}, refused);
    const fetch = envelopeOf(2, { type: "fetch-batch", epoch, seq: seqOf(1), digest: good.digest });
    for (let i = 0; i < 100; i++) ingress.fromReplica(replicaId(2), { type: "signed", envelope: fetch });
    expect(new Set(refused.map(({ code }) => code))).to.deep.equal(new Set(["ingress.over-budget"]));
    expect(refused).to.have.length(36);
    expect(ingress.fromReplica(replicaId(2), signed(prepare))).not.to.equal(undefined);
  });

  it("neither a peer's questions nor its checkpoint votes use up the share of the other", () => {
    const refused: IngressRejection[] = [];
    const ingress = ingressOf({}, refused);
    const fetch: ReplicaFrame = {
      type: "signed",
      envelope: envelopeOf(2, { type: "fetch-batch", epoch, seq: seqOf(1), digest: good.digest }),
    };
    const vote: ReplicaFrame = {
      type: "signed",
      envelope: envelopeOf(2, { type: "checkpoint", epoch, seq: seqOf(8), stateRoot: digestOf("root") }),
    };
    const taken = (frame: ReplicaFrame): number =>
      Array.from({ length: 100 }, () => ingress.fromReplica(replicaId(2), frame)).filter((event) => event !== undefined)
        .length;

    expect([taken(fetch), taken(vote)]).to.deep.equal([64, 32]);
  });

  const { viewChange } = bareViewChangeOf(2);
  const { newView } = newViewOf([digestOf("x")]);
  const unsigned = new Uint8Array(64);
  const changes: readonly {
    readonly name: string;
    readonly frame: ReplicaFrame;
    readonly bad: ReplicaFrame;
    readonly code: IngressRejection["code"];
  }[] = [
    {
      name: "VIEW-CHANGE",
      frame: { type: "view-change", viewChange },
      bad: {
        type: "view-change",
        viewChange: { ...viewChange, envelope: { ...viewChange.envelope, signature: unsigned } },
      },
      code: "ingress.bad-view-change",
    },
    {
      name: "NEW-VIEW",
      frame: { type: "new-view", newView },
      bad: { type: "new-view", newView: { ...newView, prePrepareSignatures: [unsigned] } },
      code: "ingress.bad-new-view",
    },
  ];
  for (const { name, frame, bad, code } of changes) {
    it(`a ${name} becomes an event, whoever passes it on`, () => {
      for (const peer of [1, 2, 3]) {
        const { event, codes } = receive(peer, frame);
        expect([event?.type, event && "from" in event && event.from, codes]).to.deep.equal([frame.type, peer, []]);
      }
    });

    it(`a redundant ${name} costs no verification`, () => {
      const { event, codes, verifications } = receive(3, bad, { redundant: true });
      expect([event, codes, verifications]).to.deep.equal([undefined, ["ingress.redundant"], 0]);
    });

    it(`a ${name} that does not hold is the fault of the one who sent it or passed it on`, () => {
      for (const peer of [2, 3]) {
        const { event, codes, blamed } = receive(peer, bad);
        expect([event, codes, blamed]).to.deep.equal([undefined, [code], [peer]]);
      }
      expect(JUNK_CODES.has(code)).to.equal(true);
    });

    it(`each peer has a share of what a ${name} costs`, () => {
      const refused: IngressRejection[] = [];
      const ingress = ingressOf({}, refused);
      const events = Array.from({ length: 20 }, () => ingress.fromReplica(replicaId(2), frame));

      expect(events.filter((event) => event !== undefined)).to.have.length(8);
      expect(new Set(refused.map(({ code: why }) => why))).to.deep.equal(new Set(["ingress.over-budget"]));
      expect(ingress.fromReplica(replicaId(3), frame), "another's share").not.to.equal(undefined);
      expect(ingress.fromReplica(replicaId(2), signed(prepare)), "its votes").not.to.equal(undefined);
    });
  }

  it("each view that is entered pays for a VIEW-CHANGE and a NEW-VIEW of each peer: primaries may take turns quickly", () => {
    let view = 0;
    const ingress = ingressOf({ view: () => view }, []);
    const isTaken = (peer: number, count: number): boolean[] =>
      Array.from({ length: count }, () => {
        const frame = { type: "view-change", viewChange } as const;
        return ingress.fromReplica(replicaId(peer), frame) !== undefined;
      });
    isTaken(2, 20);
    view = 3;
    expect(isTaken(2, 10).filter(Boolean)).to.have.length(6);
    view = 1_000_000;
    expect(isTaken(2, 20).filter(Boolean), "never more than at the start").to.have.length(8);
  });

  it("a request that is answered is a replay when a replica passes it on", () => {
    const frame: ReplicaFrame = { type: "request", request: requestOf("a").request };
    const { event, codes } = receive(2, frame, { standing: { type: "answered" } });

    expect(event).to.equal(undefined);
    expect(codes).to.deep.equal(["ingress.redundant"]);
  });

  it("a client that reaches backups only hears why it is refused, and their replays are bounded all the same", () => {
    const refused: IngressRejection[] = [];
    const ingress = ingressOf({ standing: { type: "refusable" } }, refused);
    const frame: ReplicaFrame = { type: "request", request: requestOf("a").request };
    const events = Array.from({ length: 100 }, () => ingress.fromReplica(replicaId(2), frame));

    expect(events[0]).to.deep.include({ type: "request", standing: { type: "refusable" } });
    expect(events.filter((event) => event !== undefined)).to.have.length(16);
    expect(new Set(refused.map(({ code }) => code))).to.deep.equal(new Set(["ingress.over-budget"]));
    expect(ingress.fromReplica(replicaId(3), frame), "another's share").not.to.equal(undefined);
  });

  it("a request passed on by a replica is judged by its client's signature", () => {
    const { request } = requestOf("a");
    const event = receive(2, { type: "request", request }).event;
    expect(event?.type === "request" && event.request.digest).to.equal(requestOf("a").digest);
    const forged = receive(2, { type: "request", request: { ...request, signature: new Uint8Array(64) } });
    expect([forged.event, forged.codes]).to.deep.equal([undefined, ["ingress.bad-signature"]]);
  });

  it("a client speaks for itself only", () => {
    const refused: IngressRejection[] = [];
    const ingress = ingressOf({}, refused);
    const { request } = requestOf("a");
    expect(ingress.verifyFromClient(request.client, request)?.digest, "own").to.equal(requestOf("a").digest);
    const before = backend.verifications;
    expect(ingress.verifyFromClient(clientOf("thief").publicKey, request), "another's").to.equal(undefined);
    expect(backend.verifications, "another's").to.equal(before);
    const forged = { ...request, signature: new Uint8Array(64) };
    expect(ingress.verifyFromClient(request.client, forged), "forged").to.equal(undefined);
    expect(refused.map(({ code }) => code)).to.deep.equal(["ingress.foreign-request", "ingress.bad-signature"]);
  });
});
