import { type Codec, describeDecodeError } from "@quorate/codec";
import { bytesToHex, type ClusterId, type Evidence, FORMAT_VERSION, hexToBytes } from "@quorate/protocol";
import Schema from "typebox/schema";
import { ConfigurationError } from "./configuration-error.ts";
import { checkShape, checkVersion, closed, parseJson } from "./documents.ts";

/**
 * A piece of evidence as a file that anyone can check who has the genesis document. It carries its own signatures: whoever
 * changes it makes it worthless.
 */
export interface EvidenceDocument {
  readonly formatVersion: typeof FORMAT_VERSION;
  readonly type: "evidence";
  /** Whose genesis document to check it against. */
  readonly cluster: string;
  /** Its encoding as on the wire, in hex. */
  readonly evidence: string;
}

const validator = Schema.Compile(
  closed({
    formatVersion: { const: FORMAT_VERSION },
    type: { const: "evidence" },
    cluster: { type: "string", pattern: "^[0-9a-f]{64}$" },
    evidence: { type: "string", pattern: "^[0-9a-f]+$" },
  }),
);

export function evidenceDocumentOf(evidence: Evidence, cluster: ClusterId, codec: Codec): EvidenceDocument {
  return {
    formatVersion: FORMAT_VERSION,
    type: "evidence",
    cluster,
    evidence: bytesToHex(codec.encodeEvidence(evidence)),
  };
}

/**
 * Reads an evidence document. Whether it proves anything is for `Verifier.verifyEvidence`.
 *
 * @param cluster of the genesis document that it is to be checked against.
 * @throws ConfigurationError naming `source` and the first thing that is wrong.
 */
export function parseEvidenceDocument(text: string, source: string, cluster: ClusterId, codec: Codec): Evidence {
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
  if (decoded?.ok === true) return decoded.value;
  const why = decoded === undefined ? "its last byte is cut in half" : describeDecodeError(decoded.error);
  throw new ConfigurationError(
    "configuration.malformed",
    `${source} holds no evidence: ${why}; export it again with \`quorate evidence export\``,
  );
}
