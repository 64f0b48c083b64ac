import {
  advertisedAddress,
  ConfigurationError,
  dialedAddress,
  type GivenDocument,
  normalAddress,
  type ReplicaFolder,
  readDocument,
  type Standing,
} from "@quorate/server";

/** What `start` and `join` may be told instead of what the data folder says, or beside it, for this run. */
export interface FolderFlags {
  readonly listen?: string;
  readonly admin?: string;
  readonly advertise?: string;
  readonly peer?: readonly string[];
}

/** What `--epoch` means, for `--help`. */
export const EPOCH_FLAG =
  "the document of an epoch to trust like genesis, from `quorate epochs --document`: it is led into no other chain by the keys of earlier epochs";

/** @throws ConfigurationError when it cannot be read. */
export function epochDocument(file: string | undefined): GivenDocument | undefined {
  if (file === undefined) return undefined;
  const advice = "write one with `quorate epochs --document FILE`";
  return { text: readDocument(file, "document of an epoch", advice), source: file };
}

/**
 * The folder as the flags say. Its file stays as it is.
 *
 * @throws ConfigurationError or TransportError for an address that cannot be meant.
 */
export function withFlags(folder: ReplicaFolder, { member }: Standing, flags: FolderFlags): ReplicaFolder {
  const { config } = folder;
  const { listen, admin, peer = [] } = flags;
  const advertise = flags.advertise === undefined ? undefined : dialedAddress(flags.advertise);
  if (advertise !== undefined && member !== undefined && advertise !== member.address)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `the members know replica ${member.id} at ${member.address}, not at ${advertise}; others dial what they know`,
    );
  return {
    ...folder,
    config: {
      ...config,
      listen: listen === undefined ? config.listen : normalAddress(listen),
      admin: admin === undefined ? config.admin : normalAddress(admin),
      ...(advertise !== undefined && { advertise }),
      peers: [...new Set([...config.peers, ...peer.map(dialedAddress)])],
    },
  };
}

/**
 * Whoever is to become a member has to be found by the others, and to find one of them.
 *
 * @throws ConfigurationError with what to say.
 */
export function refuseDeadEnd({
  listen,
  advertise,
  peers,
}: Pick<ReplicaFolder["config"], "listen" | "advertise" | "peers">): void {
  if (advertisedAddress({ listen: normalAddress(listen), ...(advertise !== undefined && { advertise }) }) === undefined)
    throw new ConfigurationError(
      "configuration.inconsistent",
      `it listens on ${listen}, which nobody can dial: say with --advertise what others are to dial`,
    );
  if (peers.length === 0)
    throw new ConfigurationError(
      "configuration.inconsistent",
      "it has nobody to follow, for those of genesis may be gone: say with --peer where a replica of the cluster is now",
    );
}
