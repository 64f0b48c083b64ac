/**
 * Serves the page: `node examples/browser-page/server.js [--genesis FILE] [--port PORT]`. Any server of static files does, if it sends
 * the same content security policy.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { parseArgs } from "node:util";

const { values: options } = parseArgs({
  options: {
    genesis: { type: "string", default: ".quorate/genesis.json" },
    port: { type: "string", default: "8080" },
  },
});

/** No script but the files below, no `eval`, and WebSockets to replicas; members may change, so their hosts are not named. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

const here = (name) => new URL(name, import.meta.url);
/** Made by `npm run build`. */
const module = new URL("./browser/quorate.js", import.meta.resolve("quorate/browser"));

/** All that there is, by path: nothing of a request becomes part of a file's name. */
const FILES = {
  "/": [here("index.html"), "text/html; charset=utf-8"],
  "/page.css": [here("page.css"), "text/css; charset=utf-8"],
  "/page.js": [here("page.js"), "text/javascript; charset=utf-8"],
  "/quorate.js": [module, "text/javascript; charset=utf-8"],
  "/quorate.js.map": [new URL("quorate.js.map", module), "application/json"],
  "/genesis.json": [options.genesis, "application/json"],
};

// Whatever is missing is missed now, not by the first visitor.
for (const [file] of Object.values(FILES))
  await readFile(file).catch(({ message }) => {
    console.error(
      `cannot serve the page: ${message}; \`npm run build\` makes the module, \`npm start\` a cluster with its genesis document`,
    );
    process.exit(1);
  });

const server = createServer(async ({ url = "/", method }, response) => {
  const [file, type] = FILES[new URL(url, "http://page").pathname] ?? [];
  if (file === undefined || (method !== "GET" && method !== "HEAD")) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, {
    "Content-Type": type,
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
  });
  response.end(await readFile(file));
});
server.listen(Number(options.port), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${server.address().port}/`);
});
