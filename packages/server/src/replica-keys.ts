import { createClientSigner, createReplicaSigner, type SignatureBackend } from "@quorate/crypto";
import {
  type ClientSigner,
  type ClusterId,
  type Epoch,
  type Hasher,
  invariant,
  type Membership,
  NO_MEMBER,
  type ReplicaId,
  type Signer,
} from "@quorate/protocol";

/**
 * The secret keys that a replica holds, and who it is by them: in each epoch the member whose public key is among theirs, and where
 * there is none, an observer (decision 0044).
 */
export interface ReplicaKeys {
  /** Signs as the member of this epoch whose key is held here; undefined where it is no member, and observes. */
  signerIn(membership: Membership): Signer | undefined;
  /** With the same key, what clients sign; undefined as above. */
  orderSignerIn(membership: Membership): Pick<ClientSigner, "signCheckpoint"> | undefined;
}

export interface ReplicaKeysOptions {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly cluster: ClusterId;
  /** 32 secret bytes each; asked for anew in each epoch, for keys come and go. */
  readonly seeds: () => readonly Uint8Array[];
}

/** The keys of a data folder, or of a simulated replica. */
export function createReplicaKeys({ backend, hasher, cluster, seeds }: ReplicaKeysOptions): ReplicaKeys {
  /** Keys of members are distinct, and a key that is a member's stays that member's in this epoch. */
  const heldIn = ({ members }: Membership): { readonly self: ReplicaId; readonly seed: Uint8Array } | undefined => {
    for (const seed of seeds()) {
      const key = backend.publicKeyOf(seed);
      const member = members.find(({ publicKey }) => publicKey === key);
      if (member !== undefined) return { self: member.id, seed };
    }
    return undefined;
  };
  return {
    signerIn: (membership) => {
      const held = heldIn(membership);
      return held && createReplicaSigner({ backend, cluster, ...held });
    },
    orderSignerIn: (membership) => {
      const held = heldIn(membership);
      return held && createClientSigner({ backend, hasher, cluster, seed: held.seed });
    },
  };
}

/** What an observer has in place of a signer: whoever signs with it has a bug, for nothing that an observer says is signed. */
export const SILENT_SIGNER: Signer = {
  self: NO_MEMBER,
  sign: ({ type, epoch }) => refuse(type, epoch),
  signStatement: ({ epoch }) => refuse("statement", epoch),
};

function refuse(type: string, epoch: Epoch): never {
  invariant(false, "observer.signs", { type, epoch });
}

/** Who a replica is in an epoch. */
export function signerIn(keys: ReplicaKeys, membership: Membership): Signer {
  return keys.signerIn(membership) ?? SILENT_SIGNER;
}
