import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { INSTALL_ARGUMENTS, isInstalled } from "./install-state.js";

const root = fileURLToPath(new URL("../..", import.meta.url));

/**
 * Installs what is missing and builds what has changed, so that a command works in a fresh clone and never runs code that
 * is not the code on disk. Ends the process with exit code 1, and the output of the tool, when that fails.
 *
 * @param {string} command the name to complain under
 * @param {string} project the TypeScript project to build, with all that it needs
 * @param {(step: string) => void} [tell] hears of each step
 */
export function prepare(command, project, tell = () => undefined) {
  if (!isInstalled(root)) run(command, "installing", "npm", [...INSTALL_ARGUMENTS, "--loglevel=error"], tell);
  run(command, "building", process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-b", project], tell);
}

function run(command, step, program, args, tell) {
  tell(step);
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: root, encoding: "utf8" });
  if (status === 0) return;
  process.stderr.write(`${stdout ?? ""}${stderr ?? ""}${error === undefined ? "" : `${error.message}\n`}`);
  process.stderr.write(`${command}: ${step} failed; the output above says why\n`);
  process.exit(1);
}
