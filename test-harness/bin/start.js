/**
 * `npm start`: from a fresh clone to a running cluster. Plain Node, for nothing is installed yet when it begins.
 */
import { prepare } from "./prepare.js";

/** Between two looks whether npm is there still: nothing tells a process that its parent has ended. */
const PARENT_LOOK_MS = 500;

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`quorate: needs Node 20.19 or later, this is ${process.versions.node}\n`);
  process.exit(1);
}
// npm hands SIGINT and SIGTERM on to who is its child (hence `exec` in package.json), and SIGHUP to nobody. Its end is the end of this, too.
const { ppid } = process;
if (process.env.npm_lifecycle_event === "start")
  setInterval(() => {
    if (process.ppid !== ppid) process.kill(process.pid, "SIGTERM");
  }, PARENT_LOOK_MS).unref();
await prepare("quorate", "packages/quorate", (step) => process.stdout.write(`${step} …\n`));
const { runCommand } = await import("../../packages/quorate/dist/cli/main.js");
process.exitCode = await runCommand(["cluster", ...process.argv.slice(2)]);
