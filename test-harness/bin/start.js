/**
 * `npm start`: from a fresh clone to a running cluster. Plain Node, for nothing is installed yet when it begins.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { INSTALL_ARGUMENTS, isInstalled } from "./install-state.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a tool of the workspace to its end; its output is shown only when it fails. */
function run(title, command, args) {
  process.stdout.write(`${title} …\n`);
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}${error === undefined ? "" : `${error.message}\n`}`);
  process.stderr.write(`quorate: ${title} failed; the output above says why\n`);
  process.exit(1);
}

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`quorate: needs Node 20.19 or later, this is ${process.versions.node}\n`);
  process.exit(1);
}
if (!isInstalled(root)) run("installing", "npm", [...INSTALL_ARGUMENTS, "--loglevel=error"]);
run("building", process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-b", "packages/quorate"]);
const { runCommand } = await import("../../packages/quorate/dist/cli/main.js");
process.exitCode = await runCommand(["cluster", ...process.argv.slice(2)]);
