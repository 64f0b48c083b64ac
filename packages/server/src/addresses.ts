import { ADDRESS_BYTES_MAX, utf8 } from "@quorate/protocol";
import { formatAddress, parseAddress } from "@quorate/transport";
import { ConfigurationError } from "./configuration-error.ts";
import type { ReplicaConfig } from "./documents.ts";

const ANY_HOST: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/**
 * An address as folders keep it: one text for one place.
 *
 * @throws TransportError `address.malformed`.
 */
export function normalAddress(text: string): string {
  return formatAddress(parseAddress(text));
}

/**
 * The same, of a place that others can dial.
 *
 * @throws TransportError for what is no address; ConfigurationError for one that listens on all addresses, or is too long for a member.
 */
export function dialedAddress(text: string): string {
  const address = normalAddress(text);
  if (isDialed(address) && utf8(address).length <= ADDRESS_BYTES_MAX) return address;
  throw new ConfigurationError(
    "configuration.inconsistent",
    `nobody can dial ${text}: expected the name or address of one host with a port, at most ${ADDRESS_BYTES_MAX} bytes`,
  );
}

/** Where others can dial this replica, as far as its folder says; undefined for one that listens on all of its addresses. */
export function advertisedAddress({
  advertise,
  listen,
}: Pick<ReplicaConfig, "advertise" | "listen">): string | undefined {
  return advertise ?? (isDialed(listen) ? listen : undefined);
}

function isDialed(address: string): boolean {
  const { host, port } = parseAddress(address);
  return port > 0 && !ANY_HOST.has(host);
}
