/**
 * Loaded before a program (`node --import`): its outgoing connections go elsewhere than it thinks, as the table in
 * QUORATE_REDIRECTED_DIALS says, a JSON object from `host:port` to `host:port`. How a test puts proxies between processes
 * whose addresses stand in a genesis document.
 */
import net from "node:net";

const table = new Map(Object.entries(JSON.parse(process.env.QUORATE_REDIRECTED_DIALS ?? "{}")));
const connect = net.connect;

// ws calls it as a property of the module, each time.
net.connect = (options, ...rest) => {
  const there = table.get(`${options?.host}:${options?.port}`);
  if (there === undefined) return connect(options, ...rest);
  const at = there.lastIndexOf(":");
  return connect({ ...options, host: there.slice(0, at), port: Number(there.slice(at + 1)) }, ...rest);
};
