/**
 * `npm run bench`: builds what has changed, then measures it. A benchmark of code that is not the code on disk is worse
 * than none.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { INSTALL_ARGUMENTS, isInstalled } from "../../test-harness/bin/install-state.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

function run(title, command, args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}${error === undefined ? "" : `${error.message}\n`}`);
  process.stderr.write(`bench: ${title} failed; the output above says why\n`);
  process.exit(1);
}

if (!isInstalled(root)) run("installing", "npm", [...INSTALL_ARGUMENTS, "--loglevel=error"]);
run("building", process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-b", "benchmarks"]);
const { main } = await import("../dist/main.js");
process.exitCode = await main(process.argv.slice(2));
