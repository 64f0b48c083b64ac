import { createReceiptCodec, type WireLimits } from "@quorate/codec";
import type { ClusterId, Receipt } from "@quorate/protocol";
import { type EpochChain, encodeReceiptProof, receiptProofOf } from "@quorate/reconfiguration";

/** What a client knows that anyone needs to believe a receipt. */
export interface ReceiptContext {
  readonly cluster: ClusterId;
  readonly chain: Pick<EpochChain, "linksTo">;
  readonly limits: WireLimits;
}

/** The proof of an answer: f+1 signatures over what was executed, with the results of the whole request. */
export interface OperationReceipt extends Receipt {
  /**
   * All that anyone needs who has the genesis document, with the links to its epoch: for `verifyReceipt` of `quorate/receipt`. It goes on
   * to prove what it proves when keys are rotated and members leave.
   */
  toBytes(): Uint8Array;
}

/** The receipt, which its client lets write itself. */
export function operationReceipt(receipt: Receipt, { cluster, chain, limits }: ReceiptContext): OperationReceipt {
  const toBytes = (): Uint8Array =>
    encodeReceiptProof(receiptProofOf(receipt, chain), cluster, createReceiptCodec(limits));
  // What is compared, cloned or written out is the receipt.
  return Object.defineProperty({ ...receipt }, "toBytes", { value: toBytes }) as OperationReceipt;
}
