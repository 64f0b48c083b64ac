import {
  approvalPreimage,
  type ClientSigner,
  type ClusterId,
  type Hasher,
  invariant,
  possessionPreimage,
  type ReconfigurationRequest,
  type ReplicaId,
  replicaMessagePreimage,
  type Signer,
  statementPreimage,
  type VerifiedRequest,
} from "@quorate/protocol";
import { sealVerified } from "@quorate/protocol/verification";
import { requestPreimage, type UnsignedRequest } from "./digests.ts";
import { checkSeed, type SignatureBackend } from "./signature-backend.ts";
import { SEED_SIZE } from "./validity-rule.ts";

/** What a replica signs with. */
export interface ReplicaSignerOptions {
  readonly backend: SignatureBackend;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
  readonly self: ReplicaId;
  readonly cluster: ClusterId;
}

/** What a client signs with. */
export interface ClientSignerOptions {
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  /** 32 secret bytes. */
  readonly seed: Uint8Array;
  readonly cluster: ClusterId;
}

/** The signer of a replica: what it signs is verified by being its own. */
export function createReplicaSigner({ backend, seed: given, self, cluster }: ReplicaSignerOptions): Signer {
  const seed = copyOfSeed(given);
  return {
    self,
    sign: (message) => {
      const signature = backend.sign(seed, replicaMessagePreimage(cluster, self, message));
      return sealVerified({ from: self, message, signature });
    },
    signStatement: (statement) => backend.sign(seed, statementPreimage(cluster, statement)),
  };
}

/** The signer of a client. */
export function createClientSigner({ backend, hasher, seed: given, cluster }: ClientSignerOptions): ClientSigner {
  const seed = copyOfSeed(given);
  const client = backend.publicKeyOf(seed);
  const sign = (unsigned: UnsignedRequest): VerifiedRequest => {
    const preimage = requestPreimage(hasher, cluster, unsigned);
    const request = { ...unsigned, signature: backend.sign(seed, preimage) };
    return sealVerified({ request, digest: hasher.digest(preimage) });
  };
  return {
    publicKey: client,
    signOperations: ({ session, number, operations }) =>
      sign({ type: "operations", client, session, number, operations }),
    signRegistration: ({ nonce, lastValid }) => sign({ type: "registration", client, nonce, lastValid }),
    signCheckpoint: ({ epoch, above }) => sign({ type: "checkpoint", client, epoch, above }),
    signReconfiguration: (unsigned) => sign({ ...unsigned, type: "reconfiguration", client }),
    approve: (request) => ({ key: client, signature: backend.sign(seed, approvalPreimage(cluster, request)) }),
  };
}

/** What the holder of a key that a change brings in signs, to show that it has it (protocol rule 11.1). */
export function signPossession(
  { backend, seed, cluster }: Omit<ReplicaSignerOptions, "self">,
  request: Pick<ReconfigurationRequest, "epoch" | "change">,
): Uint8Array {
  checkSeed(seed);
  return backend.sign(seed, possessionPreimage(cluster, request));
}

/**
 * A seed from 32 bytes of a cryptographic source of randomness, which is the caller's to choose.
 *
 * @throws InvariantViolation for another length, or 32 equal bytes: memory that nobody filled.
 */
export function generateSeed(randomBytes: Uint8Array): Uint8Array {
  const seed = copyOfSeed(randomBytes);
  invariant(!seed.every((byte) => byte === seed[0]), "crypto.seed-not-filled", { size: SEED_SIZE });
  return seed;
}

/** A copy, so that nobody can change the key of a signer under it. */
function copyOfSeed(seed: Uint8Array): Uint8Array {
  checkSeed(seed);
  return Uint8Array.from(seed);
}
