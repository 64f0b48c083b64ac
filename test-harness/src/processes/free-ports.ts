import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type Server } from "node:net";
import { ADMIN_PORT_OFFSET } from "@quorate/server";

/** Below the ports that systems give to outgoing connections, which could take one between the look and its use. */
const PORTS_FIRST = 12_000;
const PORTS_LAST = 30_000;
const ATTEMPTS_MAX = 200;

/**
 * The first of `count` neighbouring ports that nobody listens on now, neither there nor `ADMIN_PORT_OFFSET` above.
 * Chosen at random, so that runs beside each other seldom meet.
 */
export async function freePortBase(count: number): Promise<number> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const base = randomInt(PORTS_FIRST, PORTS_LAST - ADMIN_PORT_OFFSET - count);
    const ports = Array.from({ length: count }, (_, i) => base + i);
    if (await areFree([...ports, ...ports.map((port) => port + ADMIN_PORT_OFFSET)])) return base;
  }
  throw new Error(`no ${count} neighbouring free ports in ${ATTEMPTS_MAX} attempts`);
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers: Server[] = [];
  try {
    for (const port of ports) {
      const server = createServer();
      server.listen(port, "127.0.0.1");
      await once(server, "listening");
      servers.push(server);
    }
    return true;
  } catch {
    return false;
  } finally {
    await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  }
}
