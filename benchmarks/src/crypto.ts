import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import {
  createNobleBackend,
  createNobleHasher,
  MerkleTree,
  rootFromPath,
  type SignatureBackend,
} from "@quorate/crypto";
import { createNodeBackend, createNodeHasher, loadSodiumBackend } from "@quorate/crypto/node";
import { createFakeBackend } from "@quorate/crypto/testing";
import type { Hasher, PublicKey } from "@quorate/protocol";

/** Bytes of the preimage of a PREPARE. */
const MESSAGE_SIZE = 109;
const ROUNDS = 7;
const ROUND_MS = 40;
const LEAVES = 512;

type Row = Readonly<Record<string, string | number>>;

/** Median microseconds of one call of `operation`, which gets the number of the call. */
function microseconds(operation: (i: number) => unknown): number {
  let i = 0;
  const rounds: number[] = [];
  for (let round = 0; round <= ROUNDS; round++) {
    const start = performance.now();
    const first = i;
    while (performance.now() - start < ROUND_MS) operation(i++);
    rounds.push(((performance.now() - start) * 1000) / (i - first));
  }
  const [, ...warm] = rounds;
  return Number((warm.sort((a, b) => a - b)[Math.floor(warm.length / 2)] ?? 0).toFixed(2));
}

function seedOf(i: number): Uint8Array {
  const seed = new Uint8Array(32).fill(1);
  new DataView(seed.buffer).setUint32(0, i);
  return seed;
}

function backendRow(backend: SignatureBackend, freshKeys: readonly PublicKey[]): Row {
  const seed = seedOf(0);
  const publicKey = backend.publicKeyOf(seed);
  const message = new Uint8Array(MESSAGE_SIZE).fill(7);
  const signature = backend.sign(seed, message);
  const refused = Uint8Array.from(signature).fill(0, 0, 32);
  return {
    backend: backend.name,
    sign: microseconds(() => backend.sign(seed, message)),
    verify: microseconds(() => backend.verify(publicKey, message, signature)),
    refuse: microseconds(() => backend.verify(publicKey, message, refused)),
    admit: backend.name === "fake" ? 0 : admission(backend, freshKeys),
  };
}

/** Each key is new to the back end, so nothing is cached. */
function admission(backend: SignatureBackend, keys: readonly PublicKey[]): number {
  const start = performance.now();
  for (const key of keys) backend.isAdmissible(key);
  return Number((((performance.now() - start) * 1000) / keys.length).toFixed(2));
}

function hasherRow(name: string, hasher: Hasher): Row {
  const vote = new Uint8Array(MESSAGE_SIZE).fill(7);
  const large = new Uint8Array(64 * 1024).fill(7);
  const contents = Array.from({ length: LEAVES }, (_, i) => seedOf(i));
  const tree = new MerkleTree(hasher, contents);
  return {
    hasher: name,
    "109 B": microseconds(() => hasher.digest(vote)),
    "64 KiB": microseconds(() => hasher.digest(large)),
    [`tree of ${LEAVES}`]: microseconds(() => new MerkleTree(hasher, contents)),
    path: microseconds((i) => rootFromPath(hasher, contents[i % LEAVES] ?? vote, tree.path(i % LEAVES))),
  };
}

/**
 * What signatures and hashes cost on this machine, per back end: `npm run bench -- crypto`.
 *
 * Microseconds per operation, the median of several rounds, over messages of the size of a vote. `admit` is the first
 * look at a public key; `refuse` is a signature that the bytes alone rule out. Printed to standard output.
 */
export async function measurePrimitives({ json }: { readonly json: boolean }): Promise<void> {
  const sodium = await loadSodiumBackend();
  const node = createNodeBackend();
  const freshKeys = Array.from({ length: 100 }, (_, i) => node.publicKeyOf(seedOf(i + 1)));
  const backends = [createNobleBackend(), node, ...(sodium === undefined ? [] : [sodium]), createFakeBackend()];
  const report = {
    unit: "microseconds",
    machine: `${cpus()[0]?.model ?? "unknown"}, node ${process.version}`,
    messageBytes: MESSAGE_SIZE,
    backends: backends.map((backend) => backendRow(backend, freshKeys)),
    hashers: [hasherRow("noble", createNobleHasher()), hasherRow("node", createNodeHasher())],
  };
  if (json) return console.log(JSON.stringify(report, undefined, 2));
  console.log(`µs per operation, ${report.messageBytes} byte messages; ${report.machine}`);
  console.table(report.backends);
  console.table(report.hashers);
  if (sodium === undefined) console.log("sodium-native is not installed or does not load here");
}
