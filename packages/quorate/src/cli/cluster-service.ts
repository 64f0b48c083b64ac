import { resolve } from "node:path";
import { ConfigurationError } from "@quorate/server";
import type { LocalCluster } from "./local-cluster.ts";
import { replicaConfigIn } from "./replica-config.ts";

/** The service that a local cluster runs. */
export interface ClusterService {
  /** The absolute path of its module; undefined for the key-value store. */
  readonly module: string | undefined;
  /** Whether all folders name it, so that the next start need not. */
  readonly isRemembered: boolean;
}

/** What the data folder of one replica says. */
interface Named {
  readonly id: number;
  readonly path: string;
  readonly service: string | null;
}

/**
 * Finds the service whose state the folders hold.
 *
 * @param given what `--service` says: the same service in another place, for a file that has moved.
 * @throws ConfigurationError when the folders disagree and nothing is given, or when a folder holds the state of the
 * key-value store and something is.
 */
export function serviceOf(cluster: LocalCluster, given: string | undefined): ClusterService {
  const all = servicesIn(cluster);
  if (given === undefined) return { module: commonService(cluster.path, all), isRemembered: true };
  refuseKeyValueStores(all);
  const module = resolve(given);
  return { module, isRemembered: all.every(({ service }) => service === module) };
}

/** Of the folders that are there: one may be lost. */
function servicesIn({ replicas }: LocalCluster): readonly Named[] {
  const advice = "restore it, or make the data folder again with `quorate init --lost-disk`";
  return replicas.flatMap(({ id, path }) => {
    const config = replicaConfigIn(path, advice);
    return config === undefined ? [] : [{ id, path, service: config.service }];
  });
}

function commonService(path: string, all: readonly Named[]): string | undefined {
  const services = [...new Set(all.map(({ service }) => service))];
  const [service] = services;
  if (services.length <= 1) return service ?? undefined;
  const whoNames = services.map((name) => {
    const ids = all.filter((named) => named.service === name).map(({ id }) => id);
    return `${name ?? "the key-value store"} (replica ${ids.join(", ")})`;
  });
  const advice = services.includes(null)
    ? "correct `service` in the replica.json of those that are wrong"
    : "correct `service` in the replica.json of those that are wrong, or say where it is now with --service";
  throw new ConfigurationError(
    "configuration.inconsistent",
    `the replicas in ${path} have different services: ${whoNames.join(", ")}; ${advice}`,
  );
}

function refuseKeyValueStores(all: readonly Named[]): void {
  const stores = all.filter(({ service }) => service === null);
  const [first] = stores;
  if (first === undefined) return;
  const more = stores.length === 1 ? "" : ` (as do ${stores.length - 1} more)`;
  const advice =
    stores.length === all.length
      ? "leave out --service, or choose another --data folder"
      : "correct `service` in its replica.json if it never ran with that store, or choose another --data folder";
  throw new ConfigurationError(
    "configuration.inconsistent",
    `${first.path} holds the state of the key-value store${more}, which no other service understands; ${advice}`,
  );
}
