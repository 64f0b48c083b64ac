import { FORMAT_VERSION } from "../genesis.ts";
import type { ClusterId, Digest, PublicKey, ReplicaId } from "../ids.ts";
import { PreimageWriter } from "../preimage-writer.ts";
import { HASH, TAG, TAGS, U32 } from "./head.ts";

/** Who stands at one end of a link. */
export type LinkIdentity =
  | { readonly role: "replica"; readonly id: ReplicaId; readonly publicKey: PublicKey }
  | { readonly role: "client"; readonly publicKey: PublicKey }
  /** A replica that is no member, and follows. */
  | { readonly role: "observer"; readonly publicKey: PublicKey };

/** The codes of the ends of a link; append only. 0 stands for whoever is there (decision 0042). */
export const LINK_ROLE_CODES: Readonly<Record<LinkIdentity["role"], number>> = { replica: 1, client: 2, observer: 3 };

/**
 * What each end of a link signs to prove its key: cluster, both identities and roles, both nonces, own first. A relayed
 * or reflected hello does not verify, for it names other ends (protocol: transport).
 */
export function helloPreimage(
  cluster: ClusterId,
  own: LinkIdentity,
  ownNonce: Digest,
  other: LinkIdentity,
  otherNonce: Digest,
): Uint8Array {
  const writer = new PreimageWriter(TAG + U32 + HASH + 2 * (1 + U32 + 2 * HASH))
    .tag(TAGS.hello)
    .u32(FORMAT_VERSION)
    .hex32(cluster);
  for (const [end, nonce] of [
    [own, ownNonce],
    [other, otherNonce],
  ] as const)
    writer
      .u8(LINK_ROLE_CODES[end.role])
      .u32(end.role === "replica" ? end.id : 0)
      .hex32(end.publicKey)
      .hex32(nonce);
  return writer.finish();
}
