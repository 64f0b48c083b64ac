import type { Genesis } from "@quorate/protocol";
import { ConfigurationError, defaultAdmin, type KeyFile } from "@quorate/server";
import { lockHolderOf } from "@quorate/storage";
import { parseAddress } from "@quorate/transport";
import { isListenedOn } from "./probe-ports.ts";
import { replicaConfigIn } from "./replica-config.ts";

/** What is known of the replica whose disk is lost. */
export interface LostReplica {
  readonly data: string;
  readonly genesis: Genesis;
  readonly key: KeyFile;
  readonly replica?: number;
  readonly listen?: string;
  readonly admin?: string;
}

/** Where a replica listens, and what to do when somebody does. */
interface Whereabouts {
  readonly replica: string;
  readonly addresses: readonly string[];
  readonly advice: string;
}

/**
 * Refuses to replace the disk of a replica that runs all the same. The lock of its folder says so, and may have been lost
 * with the disk: then somebody listens where it does.
 *
 * @throws ConfigurationError `configuration.running`.
 */
export async function refuseRunningReplica(lost: LostReplica): Promise<void> {
  // Whoever takes the lock for the new disk names the process.
  if (lockHolderOf(lost.data) !== undefined) return;
  const whereabouts = rememberedIn(lost) ?? expectedOf(lost);
  for (const address of new Set(whereabouts?.addresses)) {
    if (!(await isListenedOn(parseAddress(address)))) continue;
    throw new ConfigurationError(
      "configuration.running",
      `some process listens on ${address}, which is where ${whereabouts?.replica} does: ${whereabouts?.advice}`,
    );
  }
}

const STOP_FIRST = "stop it first, for a replica must not run while its disk is replaced";

/** As its folder says, which is what it goes on with, and as it may have been told at its start. */
function rememberedIn({ data, listen, admin }: LostReplica): Whereabouts | undefined {
  const advice = "remove it, and give --listen, --admin, --durability and --service as they were";
  const config = replicaConfigIn(data, advice);
  if (config === undefined) return undefined;
  const given = [listen, admin].filter((address) => address !== undefined);
  return {
    replica: `the replica of ${data}`,
    addresses: [config.listen, config.admin, ...given],
    advice: STOP_FIRST,
  };
}

/** As its new folder will say; undefined for who is no member and says nothing, which is refused for that. */
function expectedOf({ genesis, key, replica, ...flags }: LostReplica): Whereabouts | undefined {
  const self = genesis.members.find(({ id, publicKey }) =>
    replica === undefined ? publicKey === key.publicKey : id === replica,
  );
  const { listen = self?.address } = flags;
  if (listen === undefined) return undefined;
  const { admin = defaultAdmin(listen) } = flags;
  return {
    replica: self === undefined ? "the replica" : `replica ${self.id}`,
    addresses: [listen, admin],
    advice: `${STOP_FIRST}; if it is another program, give --listen and --admin as they were`,
  };
}
