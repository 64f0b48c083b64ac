import type { Verifier } from "@quorate/crypto";
import {
  type ClusterId,
  type Configuration,
  type Digest,
  EPOCH_LINKS_MAX,
  EPOCHS_MAX,
  type Epoch,
  type EpochLink,
  type Genesis,
  genesisConfiguration,
  type Hasher,
  InvariantViolation,
  invariant,
  type Membership,
  type Memberships,
  membershipOf,
  type ReplicaId,
} from "@quorate/protocol";
import { type ConfigurationRecord, decodeConfiguration, type Rejoin } from "./configuration-record.ts";
import { isConfigurationProven } from "./proven-configuration.ts";
import { isLinkTo, recordOf, type TrustedEpoch, TrustedEpochError } from "./trusted-epoch.ts";

/** What links are judged with. */
export interface LinkJudge {
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
  readonly verifier: Pick<Verifier, "verifyCheckpointCertificate">;
}

/** Why a link is not added: it is of another epoch than the next, proves nothing, or no cluster has so many epochs. */
export type LinkFault = "known" | "gap" | "too-many" | "bad-certificate" | "bad-proof" | "not-an-activation";

/** An epoch: what it fixes, its members with where it began, and the link that proves it. */
interface KnownEpoch {
  readonly configuration: Configuration;
  readonly membership: Membership;
  readonly link: EpochLink | undefined;
  /** How members had rejoined by then. */
  readonly rejoins: readonly Rejoin[];
}

/** What a chain begins with, and where it ends. */
export interface EpochChainOptions {
  /** Trusted like genesis: nothing is believed that leads elsewhere. */
  readonly from?: TrustedEpoch | undefined;
  /** The last epoch that may be added; `EPOCHS_MAX` unless given. */
  readonly epochsMax?: number;
}

/**
 * The epochs from genesis to now (protocol rule 11.3): each link is the certificate of an activation, by a quorum of the epoch
 * before, of a state that has the next configuration. It only grows: nobody goes back an epoch (protocol rule 11.4), and
 * it grows to `EPOCHS_MAX`, beyond which the verdict on changes lets nothing begin (protocol rule 11.1).
 */
export class EpochChain implements Memberships {
  readonly #judge: LinkJudge;
  readonly #epochs: KnownEpoch[];
  readonly #epochsMax: number;
  readonly #from: TrustedEpoch | undefined;
  /** The epoch that `#epochs` begins with: that of genesis, or one that is trusted and whose links nobody gave. */
  readonly #first: number;

  /** @throws TrustedEpochError when the trusted epoch is none of this cluster, or its links do not lead to it. */
  constructor(judge: LinkJudge, genesis: Genesis, { from, epochsMax = EPOCHS_MAX }: EpochChainOptions = {}) {
    this.#judge = judge;
    this.#epochsMax = epochsMax;
    this.#from = from;
    const trusted = from && recordOf(from);
    const isBare = from?.links.length === 0;
    this.#first = trusted !== undefined && isBare ? trusted.current.epoch : 0;
    this.#epochs = [trusted !== undefined && isBare ? trustedEpoch(trusted, from) : genesisEpoch(genesis)];
    if (from === undefined || isBare) return;
    for (const link of from.links)
      if (this.add(link) !== "added") throw new TrustedEpochError(`its links do not lead beyond epoch ${this.epoch}`);
    if (!isLinkTo(from, this.link)) throw new TrustedEpochError("its links lead to another one");
  }

  /** The latest epoch, for others to trust, with the links that are known here; undefined for that of genesis. */
  get trusted(): TrustedEpoch | undefined {
    const { link, membership } = this.#last;
    const { start } = membership;
    if (start === undefined) return undefined;
    if (link === undefined) return this.#from;
    return { record: link.record, start, links: this.#first === 0 ? this.linksTo(this.epoch) : [] };
  }

  /** The latest epoch that is proven here. */
  get epoch(): Epoch {
    return this.#last.configuration.epoch;
  }
  get configuration(): Configuration {
    return this.#last.configuration;
  }
  get membership(): Membership {
    return this.#last.membership;
  }
  /** What proves the latest epoch; undefined for that of genesis. */
  get link(): EpochLink | undefined {
    return this.#last.link;
  }

  /** The members of an epoch; undefined for one that is not known here. */
  membershipAt(epoch: Epoch): Membership | undefined {
    return this.#epochs[epoch - this.#first]?.membership;
  }
  /** What an epoch fixes; undefined for one that is not known here. */
  configurationAt(epoch: Epoch): Configuration | undefined {
    return this.#epochs[epoch - this.#first]?.configuration;
  }

  /** Whether an epoch has begun, the latest or one before, in which this member had got over this loss of its disk. */
  hasRejoined(id: ReplicaId, loss: Digest): boolean {
    return this.#epochs.some(({ rejoins }) => rejoins.some((rejoin) => rejoin.id === id && rejoin.loss === loss));
  }

  /** The links of the epochs above one, as many as fit into one answer. */
  linksAbove(epoch: Epoch): readonly EpochLink[] {
    const next = epoch + 1 - this.#first;
    return next < 1 ? [] : this.#epochs.slice(next, next + EPOCH_LINKS_MAX).flatMap(({ link }) => link ?? []);
  }

  /**
   * All links from genesis to an epoch, which prove whatever was signed in it to anyone who has the genesis document; from the trusted epoch
   * on for a chain that began there without the links to it.
   */
  linksTo(epoch: Epoch): readonly EpochLink[] {
    return this.#epochs.slice(1, Math.max(1, epoch + 1 - this.#first)).flatMap(({ link }) => link ?? []);
  }

  /** Adds the link of the next epoch, if it is proven by what is known. It may come from anybody. */
  add(link: EpochLink): "added" | LinkFault {
    const { configuration, membership } = this.#last;
    const { certificate, record, proof } = link;
    if (certificate.epoch < configuration.epoch) return "known";
    if (certificate.epoch > configuration.epoch) return "gap";
    if (configuration.epoch >= this.#epochsMax) return "too-many";
    const { hasher, cluster, verifier } = this.#judge;
    if (verifier.verifyCheckpointCertificate(certificate, membership) === undefined) return "bad-certificate";
    if (!isConfigurationProven(hasher, cluster, certificate.stateRoot, record, proof)) return "bad-proof";
    const { current, rejoins } = decoded(record);
    if (current.epoch !== configuration.epoch + 1) return "not-an-activation";
    const { seq, stateRoot } = certificate;
    this.#epochs.push({
      configuration: current,
      membership: membershipOf(current.epoch, current.members, { seq, stateRoot }),
      link,
      rejoins,
    });
    return "added";
  }

  get #last(): KnownEpoch {
    const last = this.#epochs.at(-1);
    invariant(last !== undefined, "epoch-chain.empty");
    return last;
  }
}

function genesisEpoch(genesis: Genesis): KnownEpoch {
  const configuration = genesisConfiguration(genesis);
  const membership = membershipOf(configuration.epoch, configuration.members);
  return { configuration, membership, link: undefined, rejoins: [] };
}

function trustedEpoch({ current, rejoins }: ConfigurationRecord, { start }: TrustedEpoch): KnownEpoch {
  const membership = membershipOf(current.epoch, current.members, start);
  return { configuration: current, membership, link: undefined, rejoins };
}

/** A quorum has it in its state, so that it reads back; what does not is our own bug. */
function decoded(record: Uint8Array): ConfigurationRecord {
  try {
    return decodeConfiguration(record);
  } catch (error) {
    if (error instanceof InvariantViolation) throw error;
    throw new InvariantViolation("epoch-chain.record", { reason: String(error) });
  }
}
