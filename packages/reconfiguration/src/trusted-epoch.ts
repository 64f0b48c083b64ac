import { type CheckpointClaim, type EpochLink, equalBytes, InvariantViolation, membershipOf } from "@quorate/protocol";
import { type ConfigurationRecord, decodeConfiguration } from "./configuration-record.ts";

/**
 * An epoch that its user trusts as it trusts the genesis document: it came from whoever runs the cluster. Who begins with it is led
 * into no other chain by those who have got hold of the keys of earlier epochs (protocol rule 11.4).
 */
export interface TrustedEpoch {
  /** The configuration, as in the link that begins the epoch; see `encodeConfiguration`. */
  readonly record: Uint8Array;
  /** The checkpoint that the epoch begins with. */
  readonly start: CheckpointClaim;
  /**
   * The links from genesis to this epoch, or none: with them what was signed before can be judged, and what comes later shown to those who begin
   * with genesis.
   */
  readonly links: readonly EpochLink[];
}

/** A trusted epoch cannot be one of this cluster. */
export class TrustedEpochError extends Error {
  readonly code = "epoch.inconsistent";

  constructor(what: string) {
    super(`this is no document of an epoch of this cluster: ${what}; get another one from whoever runs the cluster`);
    this.name = "TrustedEpochError";
  }
}

/** @throws TrustedEpochError for what is no record of the configuration of a later epoch. */
export function recordOf({ record, start }: TrustedEpoch): ConfigurationRecord {
  const decoded = decodedOrThrow(record);
  const { epoch, members } = decoded.current;
  if (epoch === 0) throw new TrustedEpochError("its epoch is 0, which the genesis document is the document of");
  try {
    membershipOf(epoch, members, start);
  } catch (error) {
    if (error instanceof InvariantViolation) throw new TrustedEpochError(`its members cannot be (${error.code})`);
    throw error;
  }
  return decoded;
}

/** Whether a link begins this very epoch. */
export function isLinkTo({ record, start }: TrustedEpoch, link: EpochLink | undefined): boolean {
  return (
    link !== undefined &&
    equalBytes(link.record, record) &&
    link.certificate.seq === start.seq &&
    link.certificate.stateRoot === start.stateRoot
  );
}

function decodedOrThrow(record: Uint8Array): ConfigurationRecord {
  try {
    return decodeConfiguration(record);
  } catch (error) {
    if (error instanceof InvariantViolation || error instanceof RangeError)
      throw new TrustedEpochError("its record of the configuration does not read");
    throw error;
  }
}
