/**
 * Reconfiguration: what an ordered change of members, keys, admins, parameters or clients does, and the chain of epochs by
 * which anyone with the genesis document knows the members of any epoch (protocol rules 11.1 to 11.5).
 *
 * @packageDocumentation
 */
export { activate, isActivation } from "./activation.ts";
export { type ChainFault, chainOfProof, describeChainFault } from "./chain-of-proof.ts";
export {
  type ConfigurationRecord,
  decodeConfiguration,
  encodeConfiguration,
  genesisRecord,
  type PendingChange,
  type Rejoin,
} from "./configuration-record.ts";
export { describeRefusal } from "./describe-refusal.ts";
export { EpochChain, type EpochChainOptions, type LinkFault, type LinkJudge } from "./epoch-chain.ts";
export { type EpochDocument, epochDocumentOf, type LinkCodec, parseEpochDocument } from "./epoch-document.ts";
export type { JudgedChange } from "./judged-change.ts";
export { CONFIGURATION_KEY, CONFIGURATION_PART, isConfigurationProven } from "./proven-configuration.ts";
export {
  decodeReceiptProof,
  encodeReceiptProof,
  type ReceiptFileCodec,
  type ReceiptFileFault,
} from "./receipt-file.ts";
export { type ReceiptProof, type ReceiptProofFault, receiptProofFault, receiptProofOf } from "./receipt-proof.ts";
export { shownChange } from "./shown-change.ts";
export { type TrustedEpoch, TrustedEpochError } from "./trusted-epoch.ts";
export { type ChangePlace, judgeReconfiguration, type ReconfigurationVerdict } from "./verdict.ts";
