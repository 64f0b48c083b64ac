/**
 * `npm start`: from a fresh clone to a running cluster. Plain Node, for nothing is installed yet when it begins.
 */
import { prepare } from "./prepare.js";

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  process.stderr.write(`quorate: needs Node 20.19 or later, this is ${process.versions.node}\n`);
  process.exit(1);
}
await prepare("quorate", "packages/quorate", (step) => process.stdout.write(`${step} …\n`));
const { runCommand } = await import("../../packages/quorate/dist/cli/main.js");
process.exitCode = await runCommand(["cluster", ...process.argv.slice(2)]);
