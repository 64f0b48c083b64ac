import { spawn } from "node:child_process";

/** Commands that run right now, so that an interrupted run leaves no process behind. */
const running = new Set();

/**
 * Runs a command to its end with its output on ours and nothing on its standard input. It has a process group of its
 * own, so that a time-out or an interrupt ends its children too.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {{ cwd: string, env?: Record<string, string>, limitSeconds: number }} options
 * @returns {Promise<boolean>} whether it ended by itself with exit code 0
 */
export function runCommand(command, args, { cwd, env = {}, limitSeconds }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "inherit", "inherit"],
      detached: true,
    });
    running.add(child);
    const timer = setTimeout(() => {
      console.error(`${command} ${args[0] ?? ""}: ended after its limit of ${limitSeconds} seconds`);
      endGroup(child, "SIGKILL");
    }, limitSeconds * 1000);
    const settle = (succeeded) => {
      clearTimeout(timer);
      running.delete(child);
      resolve(succeeded);
    };
    child.once("error", (error) => {
      console.error(`${command} cannot be started: ${error.message}`);
      settle(false);
    });
    child.once("close", (code) => settle(code === 0));
  });
}

/** Ends every command that runs. */
export function endCommands() {
  for (const child of running) endGroup(child, "SIGTERM");
}

function endGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}
