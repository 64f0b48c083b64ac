import { bytesToHex, type ClusterId, EPOCHS_MAX, type EpochLink, hexToBytes, type Receipt } from "@quorate/protocol";
import type { LinkCodec } from "./epoch-document.ts";
import type { ReceiptProof } from "./receipt-proof.ts";

/** How receipts and links are written; a `Codec` is one. */
export interface ReceiptFileCodec extends LinkCodec {
  encodeReceipt(receipt: Receipt): Uint8Array;
  decodeReceipt(bytes: Uint8Array): { readonly ok: true; readonly value: Receipt } | { readonly ok: false };
}

/** Why bytes are no receipt with its links, in the layout of docs/wire.md. */
export type ReceiptFileFault =
  /** They do not begin as one of this version does. */
  "not-a-receipt" | "other-cluster" | "bad-length" | "malformed-receipt" | "malformed-link";

/** 15 letters, and the version of the layout. */
const MAGIC = Uint8Array.from([..."quorate receipt"].map((letter) => letter.charCodeAt(0)).concat(1));
const CLUSTER_BYTES = 32;
const LENGTH_BYTES = 4;

/** A receipt and the links to its epoch as the bytes of a file: all that anyone needs beside the genesis document. */
export function encodeReceiptProof(
  { receipt, links }: ReceiptProof,
  cluster: ClusterId,
  codec: Pick<ReceiptFileCodec, "encodeReceipt" | "encodeEpochLink">,
): Uint8Array {
  const parts = [codec.encodeReceipt(receipt), ...links.map((link) => codec.encodeEpochLink(link))];
  const body = parts.flatMap((part) => [lengthBytes(part.length), part]);
  const pieces = [MAGIC, hexToBytes(cluster), ...body];
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}

/** Reads such bytes, which may come from anybody; whether they prove anything is for `receiptProofFault`. */
export function decodeReceiptProof(
  bytes: Uint8Array,
  cluster: ClusterId,
  codec: Pick<ReceiptFileCodec, "decodeReceipt" | "decodeEpochLink">,
): ReceiptProof | ReceiptFileFault {
  const head = MAGIC.length + CLUSTER_BYTES;
  if (bytes.length < head || MAGIC.some((byte, i) => bytes[i] !== byte)) return "not-a-receipt";
  if (bytesToHex(bytes.subarray(MAGIC.length, head)) !== cluster) return "other-cluster";
  const parts = partsOf(bytes.subarray(head));
  const [first, ...rest] = parts ?? [];
  if (first === undefined) return "bad-length";
  const receipt = codec.decodeReceipt(first);
  if (!receipt.ok) return "malformed-receipt";
  const links: EpochLink[] = [];
  for (const part of rest) {
    const link = codec.decodeEpochLink(part);
    if (!link.ok) return "malformed-link";
    links.push(link.value);
  }
  return { receipt: receipt.value, links };
}

/** Each with its length before it, to the end and not beyond; undefined otherwise. */
function partsOf(bytes: Uint8Array): readonly Uint8Array[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + LENGTH_BYTES > bytes.length || parts.length > EPOCHS_MAX) return undefined;
    const end = at + LENGTH_BYTES + view.getUint32(at);
    if (end > bytes.length) return undefined;
    parts.push(bytes.subarray(at + LENGTH_BYTES, end));
    at = end;
  }
  return parts;
}

function lengthBytes(length: number): Uint8Array {
  const bytes = new Uint8Array(LENGTH_BYTES);
  new DataView(bytes.buffer).setUint32(0, length);
  return bytes;
}
