import type { Verifier } from "@quorate/crypto";
import {
  type ClusterId,
  type Configuration,
  type Digest,
  EPOCH_LINKS_MAX,
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

/** What links are judged with. */
export interface LinkJudge {
  readonly cluster: ClusterId;
  readonly hasher: Hasher;
  readonly verifier: Pick<Verifier, "verifyCheckpointCertificate">;
}

/** Why a link is not added: it is of another epoch than the next, or proves nothing. */
export type LinkFault = "known" | "gap" | "bad-certificate" | "bad-proof" | "not-an-activation";

/** An epoch: what it fixes, its members with where it began, and the link that proves it. */
interface KnownEpoch {
  readonly configuration: Configuration;
  readonly membership: Membership;
  readonly link: EpochLink | undefined;
  /** How members had rejoined by then. */
  readonly rejoins: readonly Rejoin[];
}

/**
 * The epochs from genesis to now (protocol rule 11.3): each link is the certificate of an activation, by a quorum of the epoch
 * before, of a state that has the next configuration. It only grows: nobody goes back an epoch (protocol rule 11.4). One
 * entry for each change that admins made; what they do is not bounded by anyone else.
 */
export class EpochChain implements Memberships {
  readonly #judge: LinkJudge;
  readonly #epochs: KnownEpoch[];

  constructor(judge: LinkJudge, genesis: Genesis) {
    this.#judge = judge;
    const configuration = genesisConfiguration(genesis);
    const membership = membershipOf(configuration.epoch, configuration.members);
    this.#epochs = [{ configuration, membership, link: undefined, rejoins: [] }];
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
    return this.#epochs[epoch]?.membership;
  }
  /** What an epoch fixes; undefined for one that is not known here. */
  configurationAt(epoch: Epoch): Configuration | undefined {
    return this.#epochs[epoch]?.configuration;
  }

  /** Whether an epoch has begun, the latest or one before, in which this member had got over this loss of its disk. */
  hasRejoined(id: ReplicaId, loss: Digest): boolean {
    return this.#epochs.some(({ rejoins }) => rejoins.some((rejoin) => rejoin.id === id && rejoin.loss === loss));
  }

  /** The links of the epochs above one, as many as fit into one answer. */
  linksAbove(epoch: Epoch): readonly EpochLink[] {
    return this.#epochs.slice(epoch + 1, epoch + 1 + EPOCH_LINKS_MAX).flatMap(({ link }) => link ?? []);
  }

  /** Adds the link of the next epoch, if it is proven by what is known. It may come from anybody. */
  add(link: EpochLink): "added" | LinkFault {
    const { configuration, membership } = this.#last;
    const { certificate, record, proof } = link;
    if (certificate.epoch < configuration.epoch) return "known";
    if (certificate.epoch > configuration.epoch) return "gap";
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

/** A quorum has it in its state, so that it reads back; what does not is our own bug. */
function decoded(record: Uint8Array): ConfigurationRecord {
  try {
    return decodeConfiguration(record);
  } catch (error) {
    if (error instanceof InvariantViolation) throw error;
    throw new InvariantViolation("epoch-chain.record", { reason: String(error) });
  }
}
