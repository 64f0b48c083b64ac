/**
 * The client for browsers in a process of its own, on the platform's WebSocket (`--experimental-websocket`, the one of
 * the WHATWG standard) and on nothing of Node. Usage: `portable-client-child.js GENESIS_TEXT`.
 */
import { parseGenesis } from "@quorate/server";
import { connect, KvClient } from "quorate/browser";

const client = connect({ genesis: parseGenesis(process.argv[2] ?? "", "the first argument") });
const store = new KvClient(client);
const sums: number[] = [];
await store.put("greeting", "hello from a browser");
for (let i = 0; i < 20; i++) sums.push(Number(await store.increment("counter")));
process.send?.({ type: "counted", sums, greeting: await store.getText("greeting") });
process.once("message", async () => {
  // Its links were cut in the meantime: they come back by themselves.
  process.send?.({ type: "after", sum: Number(await store.increment("counter")) });
  client.close();
  process.disconnect?.();
});
