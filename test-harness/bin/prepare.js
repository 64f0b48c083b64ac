import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { INSTALL_ARGUMENTS, isInstalled } from "./install-state.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** As a shell has it: 128 and the number of the signal. */
const STOPPED = { SIGINT: 130, SIGTERM: 143 };

/**
 * Installs what is missing and builds what has changed, so that a command works in a fresh clone and never runs code that
 * is not the code on disk. Ends the process with exit code 1, and the output of the tool, when that fails; on a signal it
 * ends the tool with all its children first, and the next command does again what was cut short.
 *
 * @param {string} command the name to complain under
 * @param {string} project the TypeScript project to build, with all that it needs
 * @param {(step: string) => void} [tell] hears of each step
 * @returns {Promise<void>}
 */
export async function prepare(command, project, tell = () => undefined) {
  if (!isInstalled(root)) await run(command, "installing", "npm", [...INSTALL_ARGUMENTS, "--loglevel=error"], tell);
  await run(command, "building", process.execPath, [`${root}/node_modules/typescript/bin/tsc`, "-b", project], tell);
}

async function run(command, step, program, args, tell) {
  tell(step);
  // A group of its own: what npm starts is ended with it, also when the signal came to this process alone.
  const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let stopped;
  const stop = (signal) => {
    stopped = signal;
    endGroup(child, signal);
  };
  for (const signal of Object.keys(STOPPED)) process.on(signal, stop);
  const { status, output } = await ended(child);
  for (const signal of Object.keys(STOPPED)) process.off(signal, stop);
  if (stopped !== undefined) {
    process.stderr.write(`${command}: stopped while ${step}; the same command goes on from there\n`);
    process.exit(STOPPED[stopped]);
  }
  if (status === 0) return;
  process.stderr.write(`${output}${command}: ${step} failed; the output above says why\n`);
  process.exit(1);
}

function ended(child) {
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
    });
  return new Promise((resolve) => {
    child.once("error", ({ message }) => resolve({ status: null, output: `${message}\n` }));
    child.once("close", (status) => resolve({ status, output }));
  });
}

function endGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
