/**
 * A Byzantine replica as a process: the production host and links, but whatever it tells clients is wrong, and so is
 * what it votes for, all under valid signatures of its own. With `twice` it also votes for what is true, so that it
 * contradicts itself. Usage: `node lying-replica-child.js DATA [twice]`.
 */
import { createCodec, wireLimitsOf } from "@quorate/codec";
import { createBatchComposer, createReplicaSigner, outputLeafOf, outputsRootOf, Verifier } from "@quorate/crypto";
import { chooseBackend, createNodeHasher } from "@quorate/crypto/node";
import { kvService } from "@quorate/kv";
import {
  type Digest,
  digest,
  genesisMembership,
  type ReplicaFrame,
  type Reply,
  type StateRead,
} from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import {
  FolderKeys,
  type HostTimer,
  memberIn,
  ReplicaEndpoint,
  ReplicaHost,
  ReplicaLinks,
  readReplicaFolder,
} from "@quorate/server";
import { openStore } from "@quorate/storage";
import { createLogger } from "quorate";

const backend = await chooseBackend();
const hasher = createNodeHasher();
const folder = readReplicaFolder(process.argv[2] ?? "", backend, hasher);
const { genesis, cluster, config } = folder;
const membership = genesisMembership(genesis);
const [self, seed] = [memberIn(membership, folder), folder.keys[0]?.seed];
if (self === undefined || seed === undefined) throw new Error("this is the folder of no member");
const codec = createCodec(wireLimitsOf(genesis));
const signer = createReplicaSigner({ backend, seed, self: self.id, cluster });
const verifier = new Verifier({ backend, hasher, cluster });
const isTwoFaced = process.argv[3] === "twice";
const lies = { results: 0, votes: 0, checkpoints: 0, reads: 0 };

/** Another result than the true one, under a valid signature and a valid path: only f+1 others can tell. */
function lyingReply(reply: Reply): Reply {
  const results = reply.results.map(({ value, ...result }) => ({ ...result, value: value.map((byte) => byte ^ 1) }));
  const leaf = outputLeafOf(hasher, { ...reply, results });
  const statement = { ...reply.statement, outputsRoot: outputsRootOf(hasher, [leaf]) };
  const path = { index: 0, size: 1, siblings: [] };
  const lie = { ...reply, results, statement, path, signature: signer.signStatement(statement) };
  if (verifier.verifyReply(lie, membership) !== undefined) lies.results++;
  return lie;
}

/** Other values than the true ones, and nothing where something is, under a valid certificate and proofs of the truth. */
function lyingRead(read: StateRead): StateRead {
  if (read.type !== "values") return read;
  lies.reads++;
  const isDenied = lies.reads % 2 === 0;
  const lie = (value: Uint8Array): Uint8Array | undefined => (isDenied ? undefined : value.map((byte) => byte ^ 1));
  return { ...read, values: read.values.map(({ value, proof }) => ({ value: value && lie(value), proof })) };
}

function flipped(honestDigest: Digest): Digest {
  return digest(honestDigest.replace(/^./, (first) => (first === "0" ? "1" : "0")));
}

/** Votes for what was never proposed and for states that nobody has, and properly signs that it does. */
function lyingFrame(frame: ReplicaFrame): ReplicaFrame {
  if (frame.type !== "signed") return frame;
  const { message } = frame.envelope;
  if (message.type === "prepare" || message.type === "commit") {
    lies.votes++;
    return { type: "signed", envelope: signer.sign({ ...message, digest: flipped(message.digest) }) };
  }
  if (message.type !== "checkpoint") return frame;
  lies.checkpoints++;
  return { type: "signed", envelope: signer.sign({ ...message, stateRoot: flipped(message.stateRoot) }) };
}

function framesFor(frame: ReplicaFrame): ReplicaFrame[] {
  const lie = lyingFrame(frame);
  return isTwoFaced && lie !== frame ? [frame, lie] : [lie];
}

const epochs = new EpochChain({ cluster, hasher, verifier }, genesis);
const keys = new FolderKeys({ folder, backend, log: createLogger("silent", () => ({})) });
const timers = new Map<HostTimer, NodeJS.Timeout>();
const links: ReplicaLinks = new ReplicaLinks({
  epochs: () => epochs,
  epoch: () => epochs.epoch,
  listen: config.listen,
  peers: [],
  endpoint: new ReplicaEndpoint({ cluster, backend, keys, membership: () => epochs.membership }),
  codec,
  log: createLogger("silent", () => ({})),
  events: {
    onReplicaFrame: (peer, frame) => host.onReplicaFrame(peer, frame),
    onClientFrame: (client, frame) => {
      if (frame.type === "read-state") return host.onStateRead(client, frame.read);
      return frame.type !== "request" || host.onClientRequest(client, frame.request);
    },
    welcome: () => host.welcome(),
  },
});
const host: ReplicaHost = new ReplicaHost(
  {
    genesis,
    cluster,
    service: kvService(),
    store: openStore(folder.storePath, { cluster, owner: folder.owner }, config),
    signer,
    verifier,
    hasher,
    composer: createBatchComposer(hasher, cluster),
    codec,
    epochs,
    ports: {
      nowMs: () => Date.now(),
      monotonicMs: () => performance.now(),
      sendToReplica: (to, frame) => {
        for (const said of framesFor(frame)) links.sendToReplica(to, said);
      },
      sendToReplicas: (to, frame) => {
        for (const said of framesFor(frame)) links.sendToReplicas(to, said);
      },
      sendToObservers: (frame) => {
        for (const said of framesFor(frame)) links.sendToObservers(said);
      },
      sendToClient: (client, frame) => {
        if (frame.type === "reply") links.sendToClient(client, { ...frame, reply: lyingReply(frame.reply) });
        else if (frame.type === "state-read") links.sendToClient(client, { ...frame, read: lyingRead(frame.read) });
        else links.sendToClient(client, frame);
      },
      startTimer: (timer, afterMs, fire) => {
        clearTimeout(timers.get(timer));
        timers.set(timer, setTimeout(fire, afterMs));
      },
      cancelTimer: (timer) => clearTimeout(timers.get(timer)),
    },
    observer: {
      onFatal: (error) => {
        process.stderr.write(`the lying replica cannot go on: ${error.stack}\n`);
        process.exit(1);
      },
    },
  },
  () => undefined,
);

process.on("message", () => process.send?.({ type: "lies", ...lies, executed: host.status.executed }));
process.on("disconnect", () => process.exit(0));
await links.open();
host.start();
process.send?.({ type: "ready" });
