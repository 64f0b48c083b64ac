import { batchDigest, createBatchComposer, digestBatch, requestDigest } from "@quorate/crypto";
import { EDGE_VECTORS, T8 } from "@quorate/crypto/edge-vectors";
import { type OperationsRequest, type PublicKey, type Request, sequenceNumber, timestampMs } from "@quorate/protocol";
import { expect } from "chai";
import { alterationsOf } from "./alterations.ts";
import {
  backend,
  batchOf,
  clientOf,
  cluster,
  digestOf,
  epoch0,
  hasher,
  newVerifier,
  operationsOf,
  otherCluster,
  registrationOf,
  seedOf,
  seq5,
  verificationsOf,
} from "./builders.ts";

const operations = operationsOf(1, "put a", "put b").request;
const registration = registrationOf("nonce").request;
const checkpoint = clientOf("admin").signCheckpoint({ epoch: epoch0, above: seq5 }).request;

describe("a verified request", () => {
  for (const request of [operations, registration, checkpoint]) {
    it(`carries the request and its digest: ${request.type}`, () => {
      const verified = newVerifier().verifyRequest(request);

      expect(verified).to.deep.equal({ request, digest: requestDigest(hasher, cluster, request) });
    });

    for (const { path, altered } of alterationsOf<Request>(request))
      it(`is not made of one altered at ${request.type}${path}`, () => {
        const verifier = newVerifier();
        verifier.verifyRequest(request);

        expect(verifier.verifyRequest(altered)).to.equal(undefined);
      });
  }

  it("is not made of one for another cluster", () => {
    const request = clientOf("client", otherCluster).signRegistration({
      nonce: digestOf("nonce"),
      lastValid: sequenceNumber(100),
    }).request;

    expect(newVerifier().verifyRequest(request)).to.equal(undefined);
  });

  it("is not made of one whose operations are cut in another way", () => {
    const [whole, parts] = [operationsOf(1, "ab", "c").request, operationsOf(1, "a", "bc").request];
    const spliced = { ...(whole as OperationsRequest), operations: (parts as OperationsRequest).operations };

    expect(newVerifier().verifyRequest(spliced)).to.equal(undefined);
  });

  it("is not made of one by an inadmissible key", () => {
    const key = Buffer.from(T8.toBytes()).toString("hex") as PublicKey;

    expect(newVerifier().verifyRequest({ ...registration, client: key })).to.equal(undefined);
  });

  it("is not made of what has no preimage, and nothing is thrown", () => {
    for (const lastValid of [-1, 0.5, Number.NaN, 2 ** 53])
      expect(newVerifier().verifyRequest({ ...registration, lastValid } as Request), `${lastValid}`).to.equal(
        undefined,
      );
    expect(newVerifier().verifyRequest({ ...registration, client: "zz" as PublicKey })).to.equal(undefined);
  });
});

describe("the cache of verified requests", () => {
  it("spares a request that was seen before its verification", () => {
    const verifier = newVerifier();

    expect(verificationsOf(() => verifier.verifyRequest(operations))).to.equal(1);
    expect(verificationsOf(() => verifier.verifyBatch(batchOf({ request: operations })))).to.equal(0);
    expect(verificationsOf(() => verifier.verifyRequest(structuredClone(operations)))).to.equal(0);
  });

  it("never vouches for another signature of the same content", () => {
    const verifier = newVerifier();
    verifier.verifyRequest(operations);
    const { signature } = operations;
    for (const { path, altered } of alterationsOf(signature))
      expect(verifier.verifyRequest({ ...operations, signature: altered }), path).to.equal(undefined);
  });

  it("does not follow a signature that is changed after it was verified", () => {
    const verifier = newVerifier();
    const signature = Uint8Array.from(operations.signature);
    verifier.verifyRequest({ ...operations, signature });

    signature[0]! ^= 1;

    expect(verifier.verifyRequest({ ...operations, signature })).to.equal(undefined);
    expect(verifier.verifyRequest(operations)).to.not.equal(undefined);
  });

  it("remembers no refusal as an approval", () => {
    const verifier = newVerifier();
    const bad = { ...operations, signature: new Uint8Array(64) };

    expect([verifier.verifyRequest(bad), verifier.verifyRequest(bad)]).to.deep.equal([undefined, undefined]);
  });

  it("forgets: beyond its bound a request costs a verification again", () => {
    const verifier = newVerifier({ requestsMax: 4 });
    verifier.verifyRequest(operations);
    for (let number = 2; number < 10; number++) verifier.verifyRequest(operationsOf(number, "x").request);

    expect(verificationsOf(() => verifier.verifyRequest(operations))).to.equal(1);
  });
});

describe("a verified batch", () => {
  const batch = batchOf(operationsOf(1, "a"), registrationOf("nonce"), operationsOf(2, "b"));

  it("carries all digests, computed here", () => {
    const verified = newVerifier().verifyBatch(batch);

    expect(verified).to.deep.equal(digestBatch(hasher, cluster, batch));
    expect(verified?.digest).to.equal(
      batchDigest(
        hasher,
        cluster,
        batch.timestampMs,
        verified!.requests.map((request) => request.digest),
      ),
    );
  });

  it("has another digest with another time, order or number of requests", () => {
    const { requests } = batch;
    const others = [
      { ...batch, timestampMs: timestampMs(batch.timestampMs + 1) },
      { ...batch, requests: requests.toReversed() },
      { ...batch, requests: requests.slice(1) },
      { ...batch, requests: [...requests, requests[0]!] },
    ];
    const digests = [batch, ...others].map((other) => newVerifier().verifyBatch(other)?.digest);

    expect(new Set(digests).size).to.equal(5);
    expect(digests).to.not.include(undefined);
  });

  it("is not made of one with a single bad request", () => {
    for (const bad of [0, 1, 2]) {
      const requests = batch.requests.with(bad, { ...batch.requests[bad]!, signature: new Uint8Array(64) });
      expect(newVerifier().verifyBatch({ ...batch, requests }), `${bad}`).to.equal(undefined);
    }
  });

  it("costs no verification when it is not the one that is of use", () => {
    const verifier = newVerifier();
    const other = batchOf(operationsOf(3, "c"));
    const { digest } = digestBatch(hasher, cluster, batch);

    expect(verificationsOf(() => expect(verifier.verifyBatch(other, digest)).to.equal(undefined))).to.equal(0);
    expect(verifier.verifyBatch(batch, digest)).to.deep.equal(digestBatch(hasher, cluster, batch));
  });

  it("is the same whether composed of verified requests or verified as a whole", () => {
    const requests = [operationsOf(1, "a"), registrationOf("nonce")];
    const composed = createBatchComposer(hasher, cluster).compose(batch.timestampMs, requests);

    expect(composed).to.deep.equal(newVerifier().verifyBatch(batchOf(...requests)));
  });

  it("may be the null batch, whose digest is fixed", () => {
    const digests = [1, 2].map(() => newVerifier().verifyBatch({ timestampMs: timestampMs(0), requests: [] })?.digest);

    expect(digests[0]).to.match(/^[0-9a-f]{64}$/);
    expect(digests[0]).to.equal(digests[1]);
  });
});

describe("a signature that only some libraries accept", () => {
  it("makes no request verified, whoever made it", () => {
    const { signature } = EDGE_VECTORS.find(({ title }) => title === "R is the identity")!;

    expect(newVerifier().verifyRequest({ ...operations, signature })).to.equal(undefined);
    expect(backend.isAdmissible(backend.publicKeyOf(seedOf("client")))).to.equal(true);
  });
});
