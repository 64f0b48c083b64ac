import {
  type AdminKeys,
  type Configuration,
  type Digest,
  type Epoch,
  type Genesis,
  genesisConfiguration,
  invariant,
  type Member,
  PreimageWriter,
  type PublicKey,
  RecordReader,
  type ReplicaId,
  type SequenceNumber,
  utf8,
  utf8Text,
} from "@quorate/protocol";

/** A change that is ordered and not active yet. */
export interface PendingChange {
  /** Where it was ordered. */
  readonly ordered: SequenceNumber;
  /** The last number of its epoch: the new one begins above it. */
  readonly activation: SequenceNumber;
  /** What comes into force then. */
  readonly next: Configuration;
  /** The member that rejoins by it, if that is what it is. */
  readonly rejoins: ReplicaId | undefined;
  /** An admin change that was ordered while a member rejoins: it follows at once (protocol rule 11.1). */
  readonly queued: AdminKeys | undefined;
}

/** How a member rejoined last, or joined if it had lost its disk before. */
export interface Rejoin {
  readonly id: ReplicaId;
  /** Which loss of its disk it has got over. */
  readonly loss: Digest;
  /** Where it was ordered. */
  readonly ordered: SequenceNumber;
}

/** The configuration as a record of the replicated state, with what the next change is judged by. */
export interface ConfigurationRecord {
  readonly current: Configuration;
  /** No id at or below it is given to anyone again. */
  readonly highestId: ReplicaId;
  readonly pending: PendingChange | undefined;
  /** Of members, ascending by id. */
  readonly rejoins: readonly Rejoin[];
}

const HASH = 32;

/** The record of a cluster that has executed nothing. */
export function genesisRecord(genesis: Genesis): ConfigurationRecord {
  const current = genesisConfiguration(genesis);
  const highestId = Math.max(...current.members.map(({ id }) => id)) as ReplicaId;
  return { current, highestId, pending: undefined, rejoins: [] };
}

/** One encoding for one record: it is part of the state root. */
export function encodeConfiguration({ current, highestId, pending, rejoins }: ConfigurationRecord): Uint8Array {
  const parts = [configurationBytes(current), new PreimageWriter(4).u32(highestId).finish()];
  parts.push(Uint8Array.of(pending === undefined ? 0 : 1));
  if (pending !== undefined) parts.push(pendingBytes(pending));
  const writer = new PreimageWriter(4 + rejoins.length * (4 + HASH + 8)).u32(rejoins.length);
  for (const { id, loss, ordered } of rejoins) writer.u32(id).hex32(loss).u64(ordered);
  return joined([...parts, writer.finish()]);
}

/**
 * Reads such a record: from the own state, or from a link whose proof has shown that a quorum has it in theirs.
 *
 * @throws InvariantViolation for anything else.
 */
export function decodeConfiguration(bytes: Uint8Array): ConfigurationRecord {
  const reader = new RecordReader(bytes);
  const record: ConfigurationRecord = {
    current: readConfiguration(reader),
    highestId: reader.u32() as ReplicaId,
    pending: readFlag(reader) ? readPending(reader) : undefined,
    rejoins: listOf(reader, () => ({
      id: reader.u32() as ReplicaId,
      loss: reader.hex32() as Digest,
      ordered: reader.u64() as SequenceNumber,
    })),
  };
  reader.finish();
  return record;
}

function configurationBytes({ epoch, members, admins, checkpointInterval, windowSize }: Configuration): Uint8Array {
  const addresses = members.map(({ address }) => utf8(address));
  let size = 8 + 4 + 4 + 4;
  for (const address of addresses) size += 4 + HASH + 4 + address.length;
  const writer = new PreimageWriter(size).u64(epoch).u32(checkpointInterval).u32(windowSize).u32(members.length);
  members.forEach(({ id, publicKey }, index) => {
    writer
      .u32(id)
      .hex32(publicKey)
      .sized(addresses[index] ?? utf8(""));
  });
  return joined([writer.finish(), adminsBytes(admins)]);
}
function readConfiguration(reader: RecordReader): Configuration {
  const epoch = reader.u64() as Epoch;
  const checkpointInterval = reader.u32();
  const windowSize = reader.u32();
  const members: Member[] = listOf(reader, () => ({
    id: reader.u32() as ReplicaId,
    publicKey: reader.hex32() as PublicKey,
    address: utf8Text(reader.sized()),
  }));
  return { epoch, members, admins: readAdmins(reader), checkpointInterval, windowSize };
}

function pendingBytes({ ordered, activation, next, rejoins, queued }: PendingChange): Uint8Array {
  const rejoining = new PreimageWriter(rejoins === undefined ? 1 : 5).u8(rejoins === undefined ? 0 : 1);
  if (rejoins !== undefined) rejoining.u32(rejoins);
  const parts = [
    new PreimageWriter(16).u64(ordered).u64(activation).finish(),
    configurationBytes(next),
    rejoining.finish(),
  ];
  parts.push(Uint8Array.of(queued === undefined ? 0 : 1));
  return joined(queued === undefined ? parts : [...parts, adminsBytes(queued)]);
}
function readPending(reader: RecordReader): PendingChange {
  return {
    ordered: reader.u64() as SequenceNumber,
    activation: reader.u64() as SequenceNumber,
    next: readConfiguration(reader),
    rejoins: readFlag(reader) ? (reader.u32() as ReplicaId) : undefined,
    queued: readFlag(reader) ? readAdmins(reader) : undefined,
  };
}

function adminsBytes({ threshold, keys }: AdminKeys): Uint8Array {
  const writer = new PreimageWriter(8 + keys.length * HASH).u32(threshold).u32(keys.length);
  for (const key of keys) writer.hex32(key);
  return writer.finish();
}
function readAdmins(reader: RecordReader): AdminKeys {
  return { threshold: reader.u32(), keys: listOf(reader, () => reader.hex32() as PublicKey) };
}

function readFlag(reader: RecordReader): boolean {
  const flag = reader.u8();
  invariant(flag <= 1, "record.flag", { flag });
  return flag === 1;
}

function listOf<T>(reader: RecordReader, read: () => T): T[] {
  const list: T[] = [];
  for (let left = reader.u32(); left > 0; left--) list.push(read());
  return list;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const writer = new PreimageWriter(parts.reduce((size, part) => size + part.length, 0));
  for (const part of parts) writer.raw(part);
  return writer.finish();
}
