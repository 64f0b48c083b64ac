/** The client: `node examples/counter/count.js NAME [BY] [--genesis FILE]`. */
import { parseArgs } from "node:util";
import { connect } from "quorate";

const { values, positionals } = parseArgs({
  options: { genesis: { type: "string", default: ".counter/genesis.json" } },
  allowPositionals: true,
});
const [name = "visits", by = "1"] = positionals;

const client = await connect({ genesis: values.genesis });
/** @type {import("quorate/service").ServiceCalls<typeof import("./counter.js").service>} */
const counter = client.as({ timeoutMs: 10_000 });
try {
  console.log(await counter.increment(name, Number(by)));
  console.log(Object.fromEntries(await counter.list()));
} catch (error) {
  console.error(`${error.name}: ${error.message}`);
  process.exitCode = 1;
} finally {
  client.close();
}
