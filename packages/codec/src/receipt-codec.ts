import type { EpochLink, Receipt } from "@quorate/protocol";
import { type Coding, createCoding } from "./coding.ts";
import type { Decoded } from "./decode-error.ts";
import { readEpochLink, writeEpochLink } from "./epochs.ts";
import { readReceipt, writeReceipt } from "./outputs.ts";
import type { WireLimits } from "./wire-limits.ts";

/** What receipts with their links are written and read by, as by a `Codec`: all that who verifies one has to load of the wire. */
export interface ReceiptCodec {
  encodeReceipt(receipt: Receipt): Uint8Array;
  decodeReceipt(bytes: Uint8Array): Decoded<Receipt>;
  encodeEpochLink(link: EpochLink): Uint8Array;
  decodeEpochLink(bytes: Uint8Array): Decoded<EpochLink>;
}

/** Makes the codec of a cluster's receipts; `limits` come from `wireLimitsOf(genesis)`. */
export function createReceiptCodec(limits: WireLimits): ReceiptCodec {
  return receiptCodecOver(createCoding(limits), limits);
}

export function receiptCodecOver({ encode, decode }: Coding, limits: WireLimits): ReceiptCodec {
  return {
    encodeReceipt: (receipt) => encode("receipt", limits.receipt, writeReceipt, receipt).slice(),
    decodeReceipt: (bytes) => decode(bytes, "receipt", limits.receipt, readReceipt),
    encodeEpochLink: (link) => encode("epoch-link", limits.epochLink, writeEpochLink, link).slice(),
    decodeEpochLink: (bytes) => decode(bytes, "link", limits.epochLink, readEpochLink),
  };
}
