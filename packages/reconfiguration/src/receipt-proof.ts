import type { ReceiptFault, Verifier } from "@quorate/crypto";
import { type EpochLink, type Genesis, outOfEpoch, type Receipt } from "@quorate/protocol";
import { type ChainFault, chainOfProof } from "./chain-of-proof.ts";
import type { EpochChain, LinkJudge } from "./epoch-chain.ts";

/**
 * A receipt with the links from genesis to its epoch: all that anyone needs who has the genesis document, whatever has become
 * of the members since (protocol rules 5.2 and 11.4).
 */
export interface ReceiptProof {
  readonly receipt: Receipt;
  /** Ascending. */
  readonly links: readonly EpochLink[];
}

/** Why it proves nothing. */
export type ReceiptProofFault =
  | ({ readonly part: "links" } & ChainFault)
  | { readonly part: "receipt"; readonly fault: ReceiptFault | "out-of-epoch" };

/** What a client hands to third parties: the receipt, and the links that it knows to its epoch. */
export function receiptProofOf(receipt: Receipt, chain: Pick<EpochChain, "linksTo">): ReceiptProof {
  return { receipt, links: chain.linksTo(receipt.statement.epoch) };
}

/** What is wrong with a receipt that may come from anybody; undefined when it is proven by the genesis document. */
export function receiptProofFault(
  { receipt, links }: ReceiptProof,
  genesis: Genesis,
  judge: LinkJudge & { readonly verifier: Pick<Verifier, "receiptFault"> },
): ReceiptProofFault | undefined {
  const chain = chainOfProof(receipt.statement.epoch, links, genesis, judge);
  if ("fault" in chain) return { part: "links", ...chain };
  // Whoever holds the keys of an epoch by now may sign for numbers that it never had.
  if (outOfEpoch(chain, receipt.statement) !== undefined) return { part: "receipt", fault: "out-of-epoch" };
  const fault = judge.verifier.receiptFault(receipt, chain.membership);
  return fault && { part: "receipt", fault };
}
