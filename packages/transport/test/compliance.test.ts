import { dial, LoopbackNetwork, listen } from "@quorate/transport";
import { complianceCases } from "@quorate/transport/compliance";
import { CLUSTER, newEndpoint } from "./endpoints.ts";

const loopback = new LoopbackNetwork();
const keys = { cluster: CLUSTER, endpoint: newEndpoint };
const transports = {
  "WebSocket over IPv4": { ...keys, listen, dial, host: "127.0.0.1" },
  "WebSocket over IPv6": { ...keys, listen, dial, host: "::1" },
  loopback: {
    ...keys,
    listen: loopback.listen.bind(loopback),
    dial: loopback.dial.bind(loopback),
    host: "nowhere.example",
  },
};

for (const [name, transport] of Object.entries(transports))
  describe(`transport compliance: ${name}`, () => {
    for (const { title, run } of complianceCases(transport)) it(title, run);
  });
