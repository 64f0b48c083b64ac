import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterIdOf, sessionIdOf } from "@quorate/crypto";
import {
  bytesToHex,
  type Change,
  type CheckpointCertificate,
  type ClusterId,
  type Genesis,
  hexToBytes,
  type RestoredState,
  replicaId,
  requestNumber,
  timestampMs,
} from "@quorate/protocol";
import { ConfigurationError, verifyBackup } from "@quorate/server";
import { Executor, partOf, type Service, stateRootOf } from "@quorate/state-machine";
import { childDigest, type Snapshot, StateTree } from "@quorate/state-tree";
import { initializeStore } from "@quorate/storage";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { checkRestorable, restoreState } from "../dist/backup/restore-state.js";
import { backupBytes } from "../dist/backup/state-backup.js";
import {
  backend,
  clientOf,
  cluster,
  codec,
  composer,
  digestOf,
  envelopeOf,
  epoch,
  genesis,
  hasher,
  membership,
  seqOf,
  signerOf,
} from "./builders.ts";

const CHECKPOINT = seqOf(8);
const ENTRIES = 200;

/** Puts an entry for each operation, so that the application has inner pages and buckets. */
const service: Service = {
  execute(operation, state) {
    for (let i = 0; i < ENTRIES / 4; i++) {
      const key = new Uint8Array([...operation, i]);
      state.put(key, new Uint8Array(i).fill(i));
    }
    return operation;
  },
};

function snapshotOfCluster(): Snapshot {
  const store = createMemoryStore();
  const executor = new Executor({ genesis, cluster, service, store, hasher, signer: signerOf(0) });
  const nonce = digestOf("nonce");
  const session = sessionIdOf(hasher, cluster, clientOf().publicKey, nonce, seqOf(1), 0);
  for (let seq = 1; seq <= CHECKPOINT; seq++) {
    const request =
      seq === 1
        ? clientOf().signRegistration({ nonce, lastValid: seqOf(100) })
        : clientOf().signOperations({ session, number: requestNumber(seq - 1), operations: [Uint8Array.of(seq % 4)] });
    executor.execute(seqOf(seq), composer.compose(timestampMs(seq), [request]));
  }
  return executor.snapshotAt(CHECKPOINT)!;
}

function certificateOf(stateRoot: CheckpointCertificate["stateRoot"]): CheckpointCertificate {
  const signatures = [0, 1, 2].map((id) => ({
    from: replicaId(id),
    signature: envelopeOf(id, { type: "checkpoint", epoch, seq: CHECKPOINT, stateRoot }).signature,
  }));
  return { epoch, seq: CHECKPOINT, stateRoot, signatures };
}

function partsOf(snapshot: Snapshot): Uint8Array[] {
  const certificate = certificateOf(stateRootOf(hasher, cluster, snapshot.root));
  return [...backupBytes({ cluster, certificate, links: [], snapshot }, codec, hasher)];
}

/** A store without rules. */
class AnyStore {
  readonly #entries = new Map<string, Uint8Array>();

  get(key: Uint8Array): Uint8Array | undefined {
    return this.#entries.get(bytesToHex(key));
  }
  *range(from: Uint8Array, to: Uint8Array | undefined): Generator<readonly [Uint8Array, Uint8Array]> {
    const [first, end] = [bytesToHex(from), to && bytesToHex(to)];
    for (const key of [...this.#entries.keys()].sort())
      if (key >= first && (end === undefined || key < end)) yield [hexToBytes(key), this.#entries.get(key)!];
  }
  *keys(from: Uint8Array, to: Uint8Array | undefined): Generator<Uint8Array> {
    for (const [key] of this.range(from, to)) yield key;
  }

  write(changes: readonly Change[]): void {
    for (const { key, value } of changes)
      if (value === undefined) this.#entries.delete(bytesToHex(key));
      else this.#entries.set(bytesToHex(key), value);
  }
}

/** A state of anything, under a root of its own. */
function forged(entries: readonly (readonly [key: Uint8Array, value: Uint8Array])[]): Snapshot {
  const [state, local] = [new AnyStore(), new AnyStore()];
  const tree = new StateTree({ state, local, hasher, partOf });
  const changes = tree.change(entries.map(([key, value]) => ({ key, value })));
  state.write(changes.state);
  local.write([...changes.local, ...tree.checkpoint(CHECKPOINT).local]);
  return tree.at(CHECKPOINT)!;
}

/** Frames that are not those that were written, each with the next two draws. */
const REARRANGED: readonly ((frames: Uint8Array[], a: number, b: number) => void)[] = [
  (frames, a, b) => ([frames[a], frames[b]] = [frames[b]!, frames[a]!]),
  (frames, a, b) => frames.splice(a, 0, frames[b]!),
  (frames, a) => frames.splice(a, 1),
  (frames, a, b) => (frames[a] = frames[b]!),
];

/** Numbers that are the same in every run. */
function drawnFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % below;
  };
}

describe("a backup that is not what was written", () => {
  let folder: string;
  let file: string;
  const snapshot = snapshotOfCluster();
  const parts = partsOf(snapshot);
  const whole = Buffer.concat(parts);
  const root = snapshot.pageOf(new Uint8Array(0), snapshot.root);
  const restored: RestoredState = {
    cluster,
    checkpoint: CHECKPOINT,
    applicationRoot: childDigest(root, 2)!,
    entries: ENTRIES,
    timestampMs: timestampMs(8),
  };

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-backup-"));
    file = join(folder, "a.backup");
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  const verified = (): Promise<unknown> => verifyBackup(file, { genesis, cluster }, { backend, hasher });
  const checked = (): Promise<unknown> => checkRestorable(file, restored, genesis.limits, hasher);

  /** Whoever reads it says in one line what is wrong; nothing else comes out. */
  async function refuses(bytes: Uint8Array, what: string, read: () => Promise<unknown>): Promise<void> {
    writeFileSync(file, bytes);
    const outcome = await read().then(
      () => "accepted",
      (error: unknown) => error,
    );
    expect(outcome, what).to.be.instanceOf(ConfigurationError);
    expect((outcome as Error).message, what).to.match(/^[^\n]+$/);
  }

  it("is refused by nobody as it was written", async () => {
    writeFileSync(file, whole);
    await verified();
    await checked();
  });

  it("is refused in one line, whatever bit of whatever frame flips, and wherever it is cut off", async () => {
    const draw = drawnFrom(1);
    let at = 0;
    for (const [i, part] of parts.entries()) {
      for (let n = 0; n < (part.length > 400 ? 6 : 1); n++) {
        const flipped = Buffer.from(whole);
        const place = at + draw(part.length);
        flipped[place]! ^= 1 << draw(8);
        await refuses(flipped, `part ${i}, byte ${place - at} flipped`, verified);
        // Whose the certificate is and what is signed in it has been verified when the genesis document was made.
        if (i > 1) await refuses(flipped, `part ${i}, byte ${place - at} flipped`, checked);
      }
      const end = at + draw(part.length);
      await refuses(whole.subarray(0, end), `cut off at ${end}`, verified);
      await refuses(whole.subarray(0, end), `cut off at ${end}`, checked);
      at += part.length;
    }
  });

  it("is refused in one line with any byte of its start another", async () => {
    const start = parts[0]!.length + parts[1]!.length;
    for (let at = 0; at < start; at++) {
      const changed = Buffer.from(whole);
      changed[at]! ^= 0x81;
      await refuses(changed, `byte ${at}`, verified);
    }
  });

  it("is refused in one line when frames change places, come twice, are missing or are others", async () => {
    const draw = drawnFrom(2);
    for (let n = 0; n < 150; n++) {
      const [a, b] = [2 + draw(parts.length - 2), 2 + draw(parts.length - 2)];
      if (Buffer.compare(parts[a]!, parts[b]!) === 0) continue;
      const frames = [...parts];
      REARRANGED[n % REARRANGED.length]?.(frames, a, b);
      for (const read of [verified, checked]) await refuses(Buffer.concat(frames), `${n}: ${a}, ${b}`, read);
    }
    await refuses(Buffer.concat([whole, parts.at(-1)!]), "one more", verified);
  });

  it("is refused in one line when it proves itself, but is no state of a cluster", async () => {
    const progress = Uint8Array.of(2);
    const application = [1, 2, 3].map((i) => [Uint8Array.of(1, i), Uint8Array.of(i)] as const);
    const forgeries: readonly (readonly [what: string, entries: readonly (readonly [Uint8Array, Uint8Array])[]])[] = [
      ["a progress that is too short", [...application, [progress, new Uint8Array(3)]]],
      ["an empty one", [...application, [progress, new Uint8Array(0)]]],
      ["one that is too long", [...application, [progress, new Uint8Array(400)]]],
      ["one of ones only", [...application, [progress, new Uint8Array(128).fill(255)]]],
      ["none", application],
      ["keys of no part", [[Uint8Array.of(255, 1), Uint8Array.of(1)]]],
      ["an empty key", [[new Uint8Array(0), Uint8Array.of(1)]]],
      ["a key that no store takes", [...application, [new Uint8Array(1_978).fill(1), Uint8Array.of(1)]]],
      ["nothing of the application", [[progress, new Uint8Array(3)]]],
    ];
    for (const [what, entries] of forgeries) {
      const bytes = Buffer.concat(partsOf(forged(entries)));
      await refuses(bytes, what, checked);
      const name = `${file}.${digestOf(what)}`;
      const identity = { cluster: newCluster, owner: membership.members[0]!.publicKey };
      await initializeStore(name, identity);
      const restore = (): Promise<void> =>
        restoreState(file, { storePath: name, genesis: newGenesis, hasher, ...identity });
      await refuses(bytes, `${what}, put into a store`, restore);
    }
  });

  const newGenesis: Genesis = { ...genesis, name: "new", restored };
  const newCluster: ClusterId = clusterIdOf(hasher, newGenesis);
});
