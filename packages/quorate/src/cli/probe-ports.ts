import { connect, createServer } from "node:net";

/** Where the replicas of a local cluster listen. */
export const LOOPBACK = "127.0.0.1";

/** Why a port cannot be had, as the system says it; undefined when it can. */
export interface PortObstacle {
  readonly port: number;
  /** The system's code: `EADDRINUSE`, `EACCES`, … */
  readonly code: string;
}

/** The first of these ports of the loopback address that this process could not listen on now. */
export async function findPortObstacle(ports: readonly number[]): Promise<PortObstacle | undefined> {
  for (const port of ports) {
    const code = await listenOnce(LOOPBACK, port);
    if (code !== undefined) return { port, code };
  }
  return undefined;
}

/** Why this process could not listen at an address now, as the system's code says it; undefined when it could. */
export function listenObstacle({
  host,
  port,
}: {
  readonly host: string;
  readonly port: number;
}): Promise<string | undefined> {
  return listenOnce(host, port);
}

/** As long as a connection within a machine or a data center may take at worst. */
const CONNECT_MS = 1_000;

/**
 * Whether some process takes connections at this address. It is asked by connecting: to listen there, be it for a moment,
 * would be in the way of a supervisor that starts that process just then. Who does not answer within a second is not there.
 */
export function isListenedOn({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  const socket = connect({ host: ALL_ADDRESSES[host] ?? host, port, timeout: CONNECT_MS });
  return new Promise<boolean>((resolve) => {
    socket.once("connect", () => resolve(true));
    socket.once("timeout", () => resolve(false));
    socket.once("error", () => resolve(false));
  }).finally(() => socket.destroy());
}

/** Nobody can connect to all addresses; who listens on all of them does so on these. */
const ALL_ADDRESSES: Readonly<Record<string, string>> = { "0.0.0.0": LOOPBACK, "::": "::1" };

function listenOnce(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
