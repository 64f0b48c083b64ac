import type { IncomingHttpHeaders } from "node:http";
import { isIP } from "node:net";

/** The header of a command to the admin endpoint, and what it says. */
export const ADMIN_HEADER = "quorate-admin";
export const ADMIN_COMMAND = "command";

/**
 * Whether a command comes from the operator, and not from a page in a browser on the same machine: that would name its
 * origin; from another site it could not set the header without asking first, which nobody here answers; and from a name
 * that was made to point here it would ask for that name.
 *
 * @param listenHost what the operator told the endpoint to listen on.
 */
export function isFromOperator(headers: IncomingHttpHeaders, listenHost: string): boolean {
  if (headers.origin !== undefined || headers[ADMIN_HEADER] !== ADMIN_COMMAND) return false;
  const host = (headers.host ?? "").replace(/:\d+$/, "").replace(/^\[(.*)\]$/, "$1");
  return isIP(host) !== 0 || host === "localhost" || (host !== "" && host === listenHost);
}
