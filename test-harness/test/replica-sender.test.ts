import { epochNumber, type PublicKey, replicaId } from "@quorate/protocol";
import {
  createCluster,
  createValueWire,
  Guise,
  Marks,
  Network,
  Prng,
  ReplicaSender,
  SimulatedKeys,
  VirtualClock,
  type World,
} from "@quorate/test-harness";
import { expect } from "chai";
import { calmOptions } from "./calm-options.ts";

describe("What a simulated replica sends", () => {
  it("comes with the keys that it held when it was sent, whatever it holds when it arrives", () => {
    const options = calmOptions(0, { replicas: 4 });
    const [prng, clock, marks, id] = [new Prng("sender"), new VirtualClock(), new Marks(), replicaId(0)];
    const cluster = createCluster(options, prng.fork("keys"));
    const keys = new SimulatedKeys(cluster, id, false);
    const arrived: (readonly PublicKey[])[] = [];
    const world = {
      ...{ cluster, clock, marks, spaceTime: undefined, note: () => undefined },
      network: new Network(clock, prng.fork("network"), options.network, marks),
      wire: createValueWire(cluster.codec),
      receive: {
        replicaFrame: (_to, from) => arrived.push(from.keys),
        clientFrame: () => undefined,
        serverFrame: () => undefined,
      },
    } as Partial<World> as World;
    const sender = new ReplicaSender(world, {
      ...{ id, end: "r0", keys, twin: undefined, withholds: undefined, host: () => undefined },
      guise: new Guise(world, { id, keys, prng, behaviour: undefined, epoch: () => epochNumber(0) }),
      onSent: () => undefined,
      tell: () => undefined,
    });
    const before = keys.publicKeys;

    sender.toReplicas([replicaId(1)], { type: "fetch-epochs", fetch: { above: epochNumber(0) } });
    keys.next();
    while (clock.runNext(10_000));

    expect(keys.publicKeys).to.have.length(2);
    expect(arrived).to.deep.equal([before]);
  });
});
