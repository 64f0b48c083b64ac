#!/usr/bin/env node
// Committed as it is, so that npm can link it before anything is built.
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(main)) {
  const { runCommand } = await import(main.href);
  process.exitCode = await runCommand(process.argv.slice(2));
} else {
  process.stderr.write("quorate: not built yet; run `npm start` or `npm run build` in the workspace first\n");
  process.exitCode = 1;
}
