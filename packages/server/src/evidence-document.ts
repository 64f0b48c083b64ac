import { type Codec, describeDecodeError } from "@quorate/codec";
import type { Verifier } from "@quorate/crypto";
import {
  accusedOf,
  bytesToHex,
  type ClusterId,
  EPOCHS_MAX,
  type EpochLink,
  type Evidence,
  epochOfEvidence,
  FORMAT_VERSION,
  type Genesis,
  hexToBytes,
} from "@quorate/protocol";
import { chainOfProof, describeChainFault, type EpochChain, type LinkJudge } from "@quorate/reconfiguration";
import Schema from "typebox/schema";
import { ConfigurationError } from "./configuration-error.ts";
import { checkShape, checkVersion, closed, parseJson } from "./documents.ts";

/**
 * A piece of evidence as a file that anyone can check who has the genesis document. It carries its own signatures, and the links to
 * its epoch: whoever changes it makes it worthless.
 */
export interface EvidenceDocument {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly type: "evidence";
  /** Whose genesis document to check it against. */
  readonly cluster: string;
  /** Its encoding as on the wire, in hex. */
  readonly evidence: string;
  /** The links of the epoch chain from genesis to its epoch, likewise. */
  readonly links: readonly string[];
}

/** A piece of evidence, and the links that lead to the epoch whose members judge it. */
export interface EvidenceProof {
  readonly evidence: Evidence;
  readonly links: readonly EpochLink[];
}

const validator = Schema.Compile(
  closed({
    formatVersion: { const: FORMAT_VERSION },
    type: { const: "evidence" },
    cluster: { type: "string", pattern: "^[0-9a-f]{64}$" },
    evidence: { type: "string", pattern: "^[0-9a-f]+$" },
    links: { type: "array", items: { type: "string", pattern: "^([0-9a-f]{2})+$" }, maxItems: EPOCHS_MAX },
  }),
);

/** @param epochs knows the epoch of the evidence, else the document proves nothing to others. */
export function evidenceDocumentOf(
  evidence: Evidence,
  cluster: ClusterId,
  codec: Codec,
  epochs: Pick<EpochChain, "linksTo">,
): EvidenceDocument {
  const links = epochs.linksTo(epochOfEvidence(evidence));
  return {
    formatVersion: FORMAT_VERSION,
    type: "evidence",
    cluster,
    evidence: bytesToHex(codec.encodeEvidence(evidence)),
    links: links.map((link) => bytesToHex(codec.encodeEpochLink(link))),
  };
}

/**
 * Reads an evidence document. Whether it proves anything is for `checkEvidenceProof`.
 *
 * @param cluster of the genesis document that it is to be checked against.
 * @throws ConfigurationError naming `source` and the first thing that is wrong.
 */
export function parseEvidenceDocument(text: string, source: string, cluster: ClusterId, codec: Codec): EvidenceProof {
  const value = parseJson(text, source);
  checkVersion(value, source);
  checkShape(validator, value, source);
  const document = value as EvidenceDocument;
  if (document.cluster !== cluster)
    throw new ConfigurationError(
      "configuration.foreign",
      `${source} is evidence from cluster ${document.cluster}, the genesis document is that of cluster ${cluster}; name that cluster's with --genesis`,
    );
  const isWhole = document.evidence.length % 2 === 0;
  const decoded = isWhole ? codec.decodeEvidence(hexToBytes(document.evidence)) : undefined;
  if (decoded?.ok === true) return { evidence: decoded.value, links: linksOf(document, source, codec) };
  const why = decoded === undefined ? "its last byte is cut in half" : describeDecodeError(decoded.error);
  throw new ConfigurationError(
    "configuration.malformed",
    `${source} holds no evidence: ${why}; export it again with \`quorate evidence export\``,
  );
}

/**
 * Judges evidence that may come from anybody, by nothing but the genesis document.
 *
 * @throws ConfigurationError naming `source`, when it proves nothing.
 */
export function checkEvidenceProof(
  { evidence, links }: EvidenceProof,
  source: string,
  genesis: Genesis,
  judge: LinkJudge & { readonly verifier: Pick<Verifier, "verifyEvidence"> },
): void {
  const chain = chainOfProof(epochOfEvidence(evidence), links, genesis, judge);
  if ("fault" in chain) refuseProof(source, evidence, describeChainFault(chain));
  if (!judge.verifier.verifyEvidence(evidence, chain.membership))
    refuseProof(source, evidence, "a signature is not valid, or what was signed is no contradiction");
}

function refuseProof(source: string, evidence: Evidence, why: string): never {
  throw new ConfigurationError(
    "configuration.malformed",
    `${source} proves nothing against replica ${accusedOf(evidence)}: ${why}; do not act on it`,
  );
}

function linksOf({ links }: EvidenceDocument, source: string, codec: Codec): EpochLink[] {
  return links.map((hex, at) => {
    const decoded = codec.decodeEpochLink(hexToBytes(hex));
    if (decoded.ok) return decoded.value;
    throw new ConfigurationError(
      "configuration.malformed",
      `${source}: links.${at} is no link of an epoch chain: ${describeDecodeError(decoded.error)}; export it again with \`quorate evidence export\``,
    );
  });
}
