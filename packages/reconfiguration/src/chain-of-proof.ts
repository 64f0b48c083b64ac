import type { Epoch, EpochLink, Genesis } from "@quorate/protocol";
import { EpochChain, type LinkFault, type LinkJudge } from "./epoch-chain.ts";

/** Why the links of a proof do not lead from genesis to the epoch that it is of. */
export interface ChainFault {
  /** `missing`, `surplus`: there are not as many as that epoch has before it. */
  readonly fault: LinkFault | "missing" | "surplus";
  /** The epoch that the link at fault should begin. */
  readonly epoch: number;
}

/**
 * The epochs from genesis to that of a proof, by the links that it carries: those that lead there, in their order, and no others.
 * They may come from anybody.
 */
export function chainOfProof(
  epoch: Epoch,
  links: readonly EpochLink[],
  genesis: Genesis,
  judge: LinkJudge,
): EpochChain | ChainFault {
  if (links.length > epoch) return { fault: "surplus", epoch: epoch + 1 };
  const chain = new EpochChain(judge, genesis);
  for (const link of links) {
    const verdict = chain.add(link);
    if (verdict !== "added") return { fault: verdict, epoch: chain.epoch + 1 };
  }
  return chain.epoch === epoch ? chain : { fault: "missing", epoch: chain.epoch + 1 };
}

/** In words, as the end of a sentence. */
export function describeChainFault({ fault, epoch }: ChainFault): string {
  const link = `the link that begins epoch ${epoch}`;
  switch (fault) {
    case "missing":
      return `${link} is missing`;
    case "surplus":
      return `${link} leads beyond what it proves`;
    case "known":
    case "gap":
      return `${link} is missing, another stands in its place`;
    case "too-many":
      return `${link} is one more than there can be`;
    case "bad-certificate":
      return `${link} is not signed by a quorum of the epoch before`;
    case "bad-proof":
      return `the configuration in ${link} is not in the state that was signed`;
    default:
      return `${link} is of a state that begins no epoch`;
  }
}
