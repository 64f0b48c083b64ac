import { createServer } from "node:net";

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

/** Whether some process listens at this address of this machine. */
export async function isListenedOn({ host, port }: { readonly host: string; readonly port: number }): Promise<boolean> {
  return (await listenOnce(host, port)) === "EADDRINUSE";
}

function listenOnce(host: string, port: number): Promise<string | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", ({ code, message }: NodeJS.ErrnoException) => resolve(code ?? message));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(undefined)));
  });
}
