import { randomBytes } from "node:crypto";
import { type AddressInfo, createServer } from "node:net";
import { createCodec, wireLimitsOf } from "@quorate/codec";
import { type LinkIdentity, type OperationsRequest, replicaId } from "@quorate/protocol";
import { ReplicaLinks } from "@quorate/server";
import { CLIENT_DIAL_LIMITS, dial, type Endpoint, type PersistentLink } from "@quorate/transport";
import { expect } from "chai";
import pino from "pino";
import { backend, cluster, codec, genesis, newEpochs, requestOf, seedOf } from "./builders.ts";

function endpointOf(identity: LinkIdentity, seed: Uint8Array): Endpoint {
  return {
    cluster,
    credentials: {
      identity,
      sign: (preimage) => backend.sign(seed, preimage),
      verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
      isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
    },
    randomBytes: (length) => randomBytes(length),
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe("ReplicaLinks", () => {
  const self = { role: "replica", id: replicaId(3), publicKey: backend.publicKeyOf(seedOf("replica 3")) } as const;
  const client = { role: "client", publicKey: backend.publicKeyOf(seedOf("client")) } as const;
  let links: ReplicaLinks | undefined;
  let link: PersistentLink | undefined;
  afterEach(async () => {
    link?.close("end of test");
    await links?.close("end of test");
  });

  function linksAt(listen: string): ReplicaLinks {
    return new ReplicaLinks({
      self: self.id,
      epochs: newEpochs,
      listen,
      endpoint: endpointOf(self, seedOf("replica 3")),
      codec,
      events: {
        onReplicaFrame: () => true,
        onClientFrame: () => true,
        welcome: () => ({ type: "refused", requestDigest: requestOf("a").digest, code: "overloaded" }),
      },
      log: pino({ level: "silent" }),
    });
  }

  /** Why the link of a client ends that sends these bytes. */
  async function endAfter(bytes: Uint8Array): Promise<string> {
    const address = `127.0.0.1:${await freePort()}`;
    links = linksAt(address);
    await links.open();
    return new Promise((resolve) => {
      link = dial({
        address,
        expected: self,
        endpoint: endpointOf(client, seedOf("client")),
        limits: CLIENT_DIAL_LIMITS,
        onUp: (up) => up.send(bytes),
        onFrame: () => undefined,
        onDown: ({ message }) => resolve(message),
      });
    });
  }

  it("counts what it has for a client that is gone", () => {
    links = linksAt("127.0.0.1:0");
    const frame = { type: "refused", requestDigest: requestOf("a").digest, code: "overloaded" } as const;
    for (let i = 0; i < 2; i++) links.sendToClient(client.publicKey, frame);
    expect(links.counts.clientFramesDropped).to.deep.equal({ gone: 2, "not-taken": 0 });
  });

  it("tells a client which limit of genesis its request passes, when it closes the link for it", async () => {
    const { limits } = genesis;
    const generous = createCodec(
      wireLimitsOf({ ...genesis, limits: { ...limits, requestBytesMax: 2 * limits.requestBytesMax } }),
    );
    const request: OperationsRequest = {
      ...(requestOf("a").request as OperationsRequest),
      operations: [new Uint8Array(limits.requestBytesMax), new Uint8Array(1)],
    };

    const reason = await endAfter(generous.encodeClientFrame({ type: "request", request }));

    const max = limits.requestBytesMax;
    expect(reason).to.match(/too-(many|large) at /);
    expect(reason).to.include(`at most ${max} bytes in all, got ${max + 1}`);
  });
});
