import {
  type Configuration,
  type EpochLink,
  epochNumber,
  faultThreshold,
  type Genesis,
  type Member,
  quorumSize,
  type ReplicaId,
} from "@quorate/protocol";
import {
  type ConfigurationRecord,
  decodeConfiguration,
  type EpochChain,
  genesisRecord,
} from "@quorate/reconfiguration";

/** One epoch, and how it came about. */
export interface EpochRow extends Configuration {
  /** The last number before it; 0 for that of genesis. */
  readonly activation: number;
  readonly f: number;
  readonly q: number;
  /** Who signed the link: members of the epoch before. Undefined for that of genesis. */
  readonly signedBy: readonly ReplicaId[] | undefined;
  /** What is not as in the epoch before, a line each. */
  readonly changed: readonly string[];
}

/** All epochs of a chain, in their order. */
export function epochRows(chain: EpochChain, genesis: Genesis): readonly EpochRow[] {
  const rows: EpochRow[] = [];
  let before: ConfigurationRecord | undefined;
  for (let epoch = epochNumber(0); epoch <= chain.epoch; epoch = epochNumber(epoch + 1)) {
    const link = epoch === 0 ? undefined : chain.linksAbove(epochNumber(epoch - 1))[0];
    const record = link === undefined ? genesisRecord(genesis) : decodeConfiguration(link.record);
    const membership = chain.membershipAt(epoch);
    if (membership === undefined) break;
    rows.push({
      ...record.current,
      activation: membership.start?.seq ?? 0,
      f: faultThreshold(membership),
      q: quorumSize(membership),
      signedBy: signersOf(link),
      changed: before === undefined ? [] : differences(before, record),
    });
    before = record;
  }
  return rows;
}

function signersOf(link: EpochLink | undefined): readonly ReplicaId[] | undefined {
  return link?.certificate.signatures.map(({ from }) => from);
}

function differences(before: ConfigurationRecord, after: ConfigurationRecord): string[] {
  const [old, now] = [before.current, after.current];
  const lines = memberDifferences(old.members, now.members);
  for (const { id, loss } of after.rejoins)
    if (
      old.members.some((member) => member.id === id) &&
      !before.rejoins.some((rejoin) => rejoin.id === id && rejoin.loss === loss)
    )
      lines.push(`replica ${id} has rejoined after a lost disk`);
  if (adminsText(old) !== adminsText(now)) lines.push(`${adminsText(now)} sign changes`);
  if (old.checkpointInterval !== now.checkpointInterval)
    lines.push(`K was ${old.checkpointInterval}, is ${now.checkpointInterval}`);
  if (old.windowSize !== now.windowSize) lines.push(`L was ${old.windowSize}, is ${now.windowSize}`);
  return lines;
}

function memberDifferences(old: readonly Member[], now: readonly Member[]): string[] {
  const lines: string[] = [];
  for (const { id } of old) if (!now.some((member) => member.id === id)) lines.push(`replica ${id} has left`);
  for (const { id, address, publicKey } of now) {
    const before = old.find((member) => member.id === id);
    if (before === undefined) lines.push(`replica ${id} has joined at ${address}`);
    else if (before.publicKey !== publicKey) lines.push(`replica ${id} has another key`);
  }
  return lines;
}

function adminsText({ admins: { threshold, keys } }: Configuration): string {
  const short = [...keys].sort().map((key) => key.slice(0, 16));
  return `${threshold} of the admins ${short.join(", ")}`;
}
