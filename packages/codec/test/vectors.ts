import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import {
  approvalPreimage,
  batchPreimage,
  bytesToHex,
  checkpointRequestPreimage,
  clusterId,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  type Digest,
  digest,
  type Envelope,
  executionPreimage,
  type Genesis,
  genesisPreimage,
  helloPreimage,
  historyPreimage,
  type OutputLeaf,
  operationSeedPreimage,
  operationsPreimage,
  operationsRequestPreimage,
  outputLeafPreimage,
  type PublicKey,
  possessionPreimage,
  publicKey,
  type ReconfigurationRequest,
  type ReplicaFrame,
  type ReplicaMessage,
  type ReplicaMessageType,
  type Request,
  reconfigurationRequestPreimage,
  registrationRequestPreimage,
  replicaId,
  replicaMessagePreimage,
  resultPreimage,
  seedPreimage,
  sequenceNumber,
  sessionPreimage,
  statementPreimage,
  stateRootPreimage,
  type TAGS,
  timestampMs,
} from "@quorate/protocol";
import { CODEC, MESSAGES, NULL_BATCH, REPLY, REQUESTS, SAMPLES, SHAPES } from "./samples.ts";

/** Bytes in hex; a key of a vector says what they are. */
type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** The start of a PKCS #8 ed25519 private key; the 32 bytes of the seed follow (RFC 8410). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const seedOf = (byte: number): Buffer => Buffer.alloc(32, byte);
const privateKeyOf = (byte: number): ReturnType<typeof createPrivateKey> =>
  createPrivateKey({ key: Buffer.concat([PKCS8, seedOf(byte)]), format: "der", type: "pkcs8" });
const publicKeyOf = (byte: number): PublicKey =>
  publicKey(createPublicKey(privateKeyOf(byte)).export({ format: "der", type: "spki" }).subarray(-32).toString("hex"));
const signWith = (byte: number, preimage: Uint8Array): Uint8Array =>
  Uint8Array.from(sign(null, preimage, privateKeyOf(byte)));
const sha256 = (bytes: Uint8Array): Digest => digest(createHash("sha256").update(bytes).digest("hex"));

/** Seeds for all to know: members 0 … 3 have 01 … 04, one that joins 05, the admin a1, the client c1, each byte repeated 32 times. */
const ADMIN = 0xa1;
const CLIENT = 0xc1;
/** Of the member that joins. */
const JOINER = 0x05;
const memberSeed = (id: number): number => id + 1;

const GENESIS: Genesis = {
  formatVersion: 3,
  name: "vectors é",
  faultModel: "byzantine",
  members: [0, 1, 2, 3].map((id) => ({
    id: replicaId(id),
    publicKey: publicKeyOf(memberSeed(id)),
    address: `127.0.0.1:${7000 + id}`,
  })),
  admins: { threshold: 1, keys: [publicKeyOf(ADMIN)] },
  clients: [publicKeyOf(CLIENT)],
  checkpointInterval: 128,
  windowSize: 512,
  rotateEveryBatches: 1000,
  limits: DEFAULT_LIMITS,
  timeouts: DEFAULT_TIMEOUTS,
};
const CLUSTER = clusterId(sha256(genesisPreimage(GENESIS)));

const hashed = (preimage: Uint8Array): { readonly preimage: string; readonly digest: Digest } => ({
  preimage: bytesToHex(preimage),
  digest: sha256(preimage),
});

function messageVectors(): Json {
  const vectors: Record<string, Json> = {};
  for (const type of Object.keys(MESSAGES) as ReplicaMessageType[]) {
    const message = MESSAGES[type];
    const from = replicaId(type === "pre-prepare" ? 1 : 2);
    const preimage = replicaMessagePreimage(CLUSTER, from, message);
    const envelope = { from, message, signature: signWith(memberSeed(from), preimage) };
    const frame = CODEC.encodeReplicaFrame(frameOf(message, envelope));
    vectors[type] = {
      ...hashed(preimage),
      from,
      value: jsonOf(message),
      signature: bytesToHex(envelope.signature),
      frame: bytesToHex(frame),
    };
  }
  return vectors;
}

/** The frame that a message travels in; what is not signed stands there as in the samples. */
function frameOf(message: ReplicaMessage, envelope: Envelope): ReplicaFrame {
  const { "view-change": viewChange, "new-view": newView, "reply-stable": reply } = SAMPLES.ReplicaFrame;
  switch (message.type) {
    case "pre-prepare":
      return { type: "pre-prepare", envelope: { ...envelope, message }, batch: NULL_BATCH };
    case "view-change":
      if (viewChange?.type !== message.type) throw new Error("the samples are others");
      return { ...viewChange, viewChange: { ...viewChange.viewChange, envelope: { ...envelope, message } } };
    case "new-view":
      if (newView?.type !== message.type) throw new Error("the samples are others");
      return { ...newView, newView: { ...newView.newView, envelope: { ...envelope, message } } };
    case "query-stable":
      return { type: "query-stable", envelope: { ...envelope, message } };
    case "reply-stable":
      if (reply?.type !== message.type) throw new Error("the samples are others");
      return { ...reply, reply: { ...reply.reply, envelope: { ...envelope, message } } };
    default:
      return { type: "signed", envelope: { ...envelope, message } };
  }
}

const requestDigests: Digest[] = [];
function requestVector(unsigned: Request, preimageOf: (request: Request) => Uint8Array, extra: Json): Json {
  const own = { ...unsigned, client: publicKeyOf(CLIENT) };
  const preimage = preimageOf(own);
  const request = { ...own, signature: signWith(CLIENT, preimage) };
  requestDigests.push(sha256(preimage));
  const frame = bytesToHex(CODEC.encodeClientFrame({ type: "request", request }));
  return { ...hashed(preimage), ...(extra as object), value: jsonOf(request), frame };
}

/** A member joins: its own signature, that of the admin who agrees, and that of whoever submits both. */
function reconfigurationVectors(): Readonly<Record<"reconfiguration" | "approval" | "possession", Json>> {
  const { change } = REQUESTS.reconfiguration;
  if (change.type !== "join") throw new Error("the sample is another");
  const member = { ...change.member, publicKey: publicKeyOf(JOINER) };
  const joining: ReconfigurationRequest = { ...REQUESTS.reconfiguration, change: { ...change, member } };
  const approval = approvalPreimage(CLUSTER, joining);
  const possession = possessionPreimage(CLUSTER, joining);
  const signatures = { approval: signWith(ADMIN, approval), possession: signWith(JOINER, possession) };
  const approved: ReconfigurationRequest = {
    ...joining,
    approvals: [{ key: publicKeyOf(ADMIN), signature: signatures.approval }],
    possession: signatures.possession,
  };
  return {
    reconfiguration: requestVector(
      approved,
      (own) => reconfigurationRequestPreimage(CLUSTER, { ...approved, client: own.client }),
      {},
    ),
    approval: { ...hashed(approval), key: publicKeyOf(ADMIN), signature: bytesToHex(signatures.approval) },
    possession: { ...hashed(possession), key: publicKeyOf(JOINER), signature: bytesToHex(signatures.possession) },
  };
}

/** A vector for every domain tag: the compiler refuses a tag without one. */
function preimageVectors(): { readonly [T in keyof typeof TAGS]: Json } {
  const seq = sequenceNumber(2 ** 32 + 7);
  const operations = hashed(operationsPreimage(REQUESTS.operations.operations));
  const request = requestVector(
    REQUESTS.operations,
    (own) => operationsRequestPreimage(CLUSTER, { ...REQUESTS.operations, client: own.client }, operations.digest),
    { operationsDigest: operations.digest },
  );
  const registration = requestVector(
    REQUESTS.registration,
    (own) => registrationRequestPreimage(CLUSTER, { ...REQUESTS.registration, client: own.client }),
    {},
  );
  // Not among the requests of the batch vector, which was published without it.
  const batched = [...requestDigests];
  const checkpointRequest = requestVector(
    REQUESTS.checkpoint,
    (own) => checkpointRequestPreimage(CLUSTER, { ...REQUESTS.checkpoint, client: own.client }),
    {},
  );
  const change = reconfigurationVectors();
  const time = timestampMs(1_790_000_000_123);
  const batch = hashed(batchPreimage(CLUSTER, time, batched));
  const history = hashed(historyPreimage(CLUSTER, digest("00".repeat(32)), seq, batch.digest));
  const seed = hashed(seedPreimage(CLUSTER, history.digest, seq));
  const leaf: OutputLeaf = {
    session: REPLY.session,
    number: REPLY.number,
    requestDigest: requestDigests[0]!,
    resultDigest: digest("ab".repeat(32)),
  };
  const statement = statementPreimage(CLUSTER, REPLY.statement);
  const result = { status: "number-reused", value: new TextEncoder().encode("why") } as const;
  const nonces = [digest("e1".repeat(32)), digest("e2".repeat(32))] as const;
  const hello = helloPreimage(
    CLUSTER,
    { role: "replica", id: replicaId(1), publicKey: publicKeyOf(memberSeed(1)) },
    nonces[0],
    { role: "client", publicKey: publicKeyOf(CLIENT) },
    nonces[1],
  );
  return {
    message: messageVectors(),
    operations,
    request,
    registration,
    checkpointRequest,
    ...change,
    batch: {
      ...batch,
      timestampMs: time,
      requestDigests: batched,
      null: hashed(batchPreimage(CLUSTER, NULL_BATCH.timestampMs, [])),
    },
    history: { ...history, previous: "00".repeat(32), seq, batch: batch.digest },
    execution: {
      ...hashed(executionPreimage(CLUSTER, digest("00".repeat(32)), REPLY.statement)),
      previous: "00".repeat(32),
      statement: jsonOf(REPLY.statement),
    },
    seed: { ...seed, historyDigest: history.digest, seq },
    operationSeed: {
      ...hashed(operationSeedPreimage(seed.digest, 3, 20)),
      batchSeed: seed.digest,
      requestIndex: 3,
      operationIndex: 20,
    },
    statement: {
      ...hashed(statement),
      value: jsonOf(REPLY.statement),
      from: 3,
      signature: bytesToHex(signWith(memberSeed(3), statement)),
    },
    outputLeaf: { preimage: bytesToHex(outputLeafPreimage(leaf)), value: jsonOf(leaf) },
    result: { preimage: bytesToHex(resultPreimage(result)), value: jsonOf(result) },
    session: {
      ...hashed(sessionPreimage(CLUSTER, publicKeyOf(CLIENT), nonces[0], seq, 9)),
      client: publicKeyOf(CLIENT),
      nonce: nonces[0],
      seq,
      index: 9,
    },
    genesis: { ...hashed(genesisPreimage(GENESIS)), value: jsonOf(GENESIS) },
    stateRoot: { ...hashed(stateRootPreimage(CLUSTER, digest("5a".repeat(32)))), treeRoot: "5a".repeat(32) },
    hello: {
      preimage: bytesToHex(hello),
      ownNonce: nonces[0],
      otherNonce: nonces[1],
      signature: bytesToHex(signWith(memberSeed(1), hello)),
    },
  };
}

/** Bytes become hex, everything else stays. */
function jsonOf(value: unknown): Json {
  if (value instanceof Uint8Array) return bytesToHex(value);
  if (Array.isArray(value)) return value.map(jsonOf);
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, field]) => [key, jsonOf(field)]));
  return value as Json;
}

/** Everything that `vectors.json` holds, made anew. */
export function makeVectors(): Json {
  requestDigests.length = 0;
  const seeds = {
    "member 0": 1,
    "member 1": 2,
    "member 2": 3,
    "member 3": 4,
    admin: ADMIN,
    client: CLIENT,
    joiner: JOINER,
  };
  return {
    comment:
      "See docs/wire.md. Bytes are in hex. The signatures in `frames` are filler, those in `preimages` are real.",
    cluster: CLUSTER,
    keys: Object.entries(seeds).map(([of, byte]) => ({
      of,
      seed: seedOf(byte).toString("hex"),
      publicKey: publicKeyOf(byte),
    })),
    preimages: preimageVectors(),
    frames: Object.fromEntries(
      SHAPES.map(({ kind, encode }) => [
        kind,
        Object.entries(SAMPLES[kind]).map(([name, value]) => ({
          name,
          bytes: bytesToHex(encode(value)),
          value: jsonOf(value),
        })),
      ]),
    ),
  };
}
