import { type Codec, createCodec, wireLimitsOf } from "@quorate/codec";
import { EpochVerifier, type SignatureBackend, Verifier } from "@quorate/crypto";
import type { Hasher, Membership, OrderedReader, Signer } from "@quorate/protocol";
import { EpochChain } from "@quorate/reconfiguration";
import { Executor } from "@quorate/state-machine";
import { lockFolderToRead, openStoreToRead, type StoreReader } from "@quorate/storage";
import { EntryJudge } from "./entry-judge.ts";
import { readEpochs } from "./epoch-records.ts";
import type { ReplicaFolder } from "./replica-folder.ts";
import { createReplicaKeys, signerIn } from "./replica-keys.ts";

/** What signatures and digests are made with. */
export interface Cryptography {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
}

/** What judges the records of a cluster: all of it follows from the genesis document, and the trusted epoch of a folder that has one. */
export interface Judges {
  readonly codec: Codec;
  readonly verifier: Verifier;
  readonly epochs: EpochChain;
  /** Judges by the epoch that is named. */
  readonly judge: EpochVerifier;
  readonly entries: EntryJudge;
}

/**
 * @param local where the links of the epoch chain are kept; what is not of the epoch of genesis is judged by nobody else.
 */
export function judgesOf(
  { genesis, trusted, cluster }: Pick<ReplicaFolder, "genesis" | "trusted" | "cluster">,
  { backend, hasher }: Cryptography,
  local?: OrderedReader,
): Judges {
  const codec = createCodec(wireLimitsOf(genesis));
  const verifier = new Verifier({ backend, hasher, cluster });
  const links = { cluster, hasher, verifier };
  const epochs =
    local === undefined
      ? new EpochChain(links, genesis, { from: trusted })
      : readEpochs(local, { ...links, genesis, trusted, codec });
  const judge = new EpochVerifier(verifier, epochs);
  return { codec, verifier, epochs, judge, entries: new EntryJudge({ codec, verifier, hasher, cluster, epochs }) };
}

/** The store of a replica that does not run, kept from running. */
export interface StoppedStore {
  readonly store: StoreReader;
  close(): Promise<void>;
}

/**
 * Opens the store of a stopped replica without a change to it.
 *
 * @throws StorageError when the replica runs, or its store cannot be read.
 */
export function openStoppedStore({ path, storePath, cluster, owner }: ReplicaFolder): StoppedStore {
  const lock = lockFolderToRead(path);
  try {
    const store = openStoreToRead(storePath, { cluster, owner });
    const close = async (): Promise<void> => {
      await store.close();
      lock.release();
    };
    return { store, close };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The replicated state of a replica that does not run. */
export interface StoredState {
  readonly executor: Executor;
  /** Nothing is there yet: the replica has never been started. */
  readonly isNew: boolean;
}

/**
 * Reads the state as a start would.
 *
 * @throws StateError or InvariantViolation when it does not read back.
 */
export function readStoredState(
  folder: ReplicaFolder,
  { state, local }: Pick<StoreReader, "state" | "local">,
  cryptography: Cryptography,
): StoredState {
  const { genesis, cluster } = folder;
  const { membership } = judgesOf(folder, cryptography, local).epochs;
  let isNew = false;
  const executor = new Executor({
    // An empty store is given the state of genesis; a state that is there is not written to before something executes.
    store: {
      state,
      local,
      writeAtomically: () => {
        isNew = true;
      },
    },
    service: { execute: refuse },
    genesis,
    cluster,
    hasher: cryptography.hasher,
    signer: signerOf(folder, membership, cryptography),
  });
  return { executor, isNew };
}

/** Who the replica of a folder is in an epoch. */
export function signerOf(
  { cluster, keys }: Pick<ReplicaFolder, "cluster" | "keys">,
  membership: Membership,
  { backend, hasher }: Cryptography,
): Signer {
  const seeds = (): Uint8Array[] => keys.map(({ seed }) => seed);
  return signerIn(createReplicaKeys({ backend, hasher, cluster, seeds }), membership);
}

function refuse(): never {
  throw new Error("nothing executes on a state that is only read");
}
