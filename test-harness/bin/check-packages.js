/**
 * Checks of the packages as their users will get them: `node test-harness/bin/check-packages.js publint|types|contents|
 * entries`. They look at what is built.
 */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { projects, root } from "./workspace.js";

const execute = promisify(execFile);
const CONCURRENT_MAX = 2;

/** What each check finds wrong in one package: lines for people, none when all is well. */
const CHECKS = { publint, types, contents, entries };

const check = CHECKS[process.argv[2] ?? ""];
if (check === undefined) {
  console.error(`Which check? One of ${Object.keys(CHECKS).join(", ")}.`);
  process.exit(2);
}
const publishable = projects().filter(({ manifest }) => manifest.private !== true);
const waiting = [...publishable];
await Promise.all(Array.from({ length: CONCURRENT_MAX }, work));
console.log(`${process.argv[2]}: ${publishable.length} packages`);

async function work() {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift())
    for (const fault of await check(next)) {
      console.error(`${next.manifest.name}: ${fault}`);
      process.exitCode = 1;
    }
}

async function publint({ folder }) {
  return outputOnFailure("node_modules/publint/src/cli.js", ["run", folder, "--strict"]);
}

async function types({ folder }) {
  return outputOnFailure("node_modules/@arethetypeswrong/cli/dist/index.js", [
    "--pack",
    folder,
    "--profile",
    "esm-only",
    "--no-color",
    "--no-emoji",
  ]);
}

async function contents({ folder, manifest }) {
  const { stdout } = await execute("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    cwd: join(root, folder),
    maxBuffer: 2 ** 26,
  });
  const files = JSON.parse(stdout)[0].files.map((file) => file.path);
  const faults = [];
  const expected = ["README.md", ...entryFiles(manifest), ...Object.values(manifest.bin ?? {})];
  for (const path of expected) if (!files.includes(path)) faults.push(`the packed package lacks ${path}`);
  for (const path of files)
    if (/(^|\/)(test|dist-test|node_modules)\/|\.test\.|\.tsbuildinfo$/.test(path))
      faults.push(`the packed package contains ${path}, which its users do not need`);
  return faults;
}

async function entries({ folder, manifest }) {
  const faults = [];
  for (const [entry, conditions] of Object.entries(manifest.exports)) {
    if (entry === "./package.json") continue;
    for (const file of [conditions.default, conditions.browser].filter((path) => path !== undefined)) {
      const url = pathToFileURL(join(root, folder, file)).href;
      const source = `const face = await import(${JSON.stringify(url)}); if ("default" in face) process.exit(3);`;
      const found = await outputOnFailure("--input-type=module", ["--eval", source]);
      if (found.length > 0) faults.push(`importing "${entry}" (${file}) fails or leaves something running`, ...found);
    }
  }
  return faults;
}

/** Every file that a condition of the `exports` field names. */
function entryFiles(manifest) {
  return Object.values(manifest.exports)
    .flatMap((conditions) => (typeof conditions === "string" ? [conditions] : Object.values(conditions)))
    .map((path) => path.replace(/^\.\//, ""));
}

async function outputOnFailure(script, args) {
  try {
    await execute(process.execPath, [script, ...args], { cwd: root, maxBuffer: 2 ** 26, timeout: 120_000 });
    return [];
  } catch (error) {
    return [`${error.stdout ?? ""}${error.stderr ?? ""}`.trim() || error.message];
  }
}
