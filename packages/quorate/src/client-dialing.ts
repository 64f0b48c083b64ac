import type { ClientCodec } from "@quorate/codec";
import type { ClusterId, PublicKey } from "@quorate/protocol";
import type { DialOptions, Endpoint, PersistentLink } from "@quorate/transport/client";
import { CLIENT_DIAL_LIMITS } from "@quorate/transport/client";
import type { ClientPlatform } from "./core-runner.ts";
import type { LinkCalls } from "./member-links.ts";

/** Who dials. */
export interface DialingClient {
  readonly cluster: ClusterId;
  readonly publicKey: PublicKey;
  /** The secret behind `publicKey`, for the handshake. */
  readonly seed: Uint8Array;
}

/** Dials a replica, or whoever is there, as a client. */
export type ClientDial = (address: string, expected: DialOptions["expected"], calls: LinkCalls) => PersistentLink;

/** How a client dials on a platform; links take frames of the codec's cluster. */
export function clientDial(
  { backend, randomBytes, dial }: Pick<ClientPlatform, "backend" | "randomBytes" | "dial">,
  { cluster, publicKey: own, seed }: DialingClient,
  { limits }: Pick<ClientCodec, "limits">,
): ClientDial {
  const frameBytesMax = Math.max(limits.clientFrame.bytesMax, limits.serverFrame.bytesMax);
  const endpoint: Endpoint = {
    cluster,
    credentials: {
      identity: { role: "client", publicKey: own },
      sign: (preimage) => backend.sign(seed, preimage),
      verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
      isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
    },
    randomBytes,
  };
  return (address, expected, calls) =>
    dial(address, { endpoint, expected, limits: { ...CLIENT_DIAL_LIMITS, frameBytesMax }, ...calls });
}
