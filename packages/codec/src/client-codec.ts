import type { ClientFrame, EpochLink, ServerFrame } from "@quorate/protocol";
import { type Coding, createCoding } from "./coding.ts";
import type { Decoded } from "./decode-error.ts";
import { readEpochLink, writeEpochLink } from "./epochs.ts";
import { readServerFrame, writeClientFrame } from "./frames.ts";
import type { WireLimits } from "./wire-limits.ts";

/** What a client writes and reads of the wire, as a `Codec` does. A page that loads it loads nothing of what replicas tell each other. */
export interface ClientCodec {
  readonly limits: WireLimits;
  encodeClientFrame(frame: ClientFrame): Uint8Array;
  decodeServerFrame(bytes: Uint8Array): Decoded<ServerFrame>;
  encodeEpochLink(link: EpochLink): Uint8Array;
  decodeEpochLink(bytes: Uint8Array): Decoded<EpochLink>;
}

/** Makes the codec of a cluster's clients; `limits` come from `wireLimitsOf(genesis)`. */
export function createClientCodec(limits: WireLimits): ClientCodec {
  return clientCodecOver(createCoding(limits), limits);
}

export function clientCodecOver({ encode, decode }: Coding, limits: WireLimits): ClientCodec {
  return {
    limits,
    encodeClientFrame: (frame) => encode("client-frame", limits.clientFrame, writeClientFrame, frame),
    decodeServerFrame: (bytes) => decode(bytes, "frame", limits.serverFrame, readServerFrame),
    encodeEpochLink: (link) => encode("epoch-link", limits.epochLink, writeEpochLink, link).slice(),
    decodeEpochLink: (bytes) => decode(bytes, "link", limits.epochLink, readEpochLink),
  };
}
