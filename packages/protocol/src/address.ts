/** Where a listener is: a host name or an IP address without brackets, and a port. */
export interface Address {
  readonly host: string;
  readonly port: number;
}

/** Reads `host:port`, an IPv6 host in brackets: `127.0.0.1:7000`, `[::1]:7000`, `replica-0.example:7000`; undefined for anything else. */
export function addressOf(text: string): Address | undefined {
  const match = /^(?:\[([0-9a-fA-F:.]+(?:%[\w.-]+)?)\]|([\w.-]+)):(\d{1,5})$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  return host === undefined || port > 65_535 ? undefined : { host, port };
}
