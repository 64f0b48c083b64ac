import type { Command } from "commander";
import type { ConnectOptions } from "../connect.ts";
import { collect } from "./arguments.ts";

/** Where replicas may be found, beside those of the genesis document. */
export interface AddressFlags {
  readonly at?: readonly string[];
}

/** Adds the flag for commands that connect to a cluster. */
export function withAddressFlags(command: Command): Command {
  return command.option(
    "--at <host:port>",
    "where a replica may be found, if members have changed since the genesis document; repeat",
    collect,
  );
}

/** What `connect` takes of it. */
export function addressesOf({ at }: AddressFlags): Pick<ConnectOptions, "addresses"> {
  return at === undefined ? {} : { addresses: at };
}

/** The same on a command line. */
export function addressWords({ at = [] }: AddressFlags): string[] {
  return at.flatMap((address) => ["--at", address]);
}
