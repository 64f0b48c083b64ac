import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the whole workspace. */
export const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/**
 * Every project folder of the workspace with its manifest.
 *
 * @returns {{ folder: string, manifest: any }[]}
 */
export function projects() {
  const folders = readdirSync(join(root, "packages"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, "packages", entry.name, "package.json")))
    .map((entry) => `packages/${entry.name}`)
    .sort();
  return [...folders, "test-harness", "benchmarks"].map((folder) => ({
    folder,
    manifest: JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")),
  }));
}

/**
 * The single files that browsers load: of each entry point with a condition `browser`, with the module that it is made of.
 *
 * @returns {{ folder: string, entry: string, bundle: string }[]} paths of entry and bundle relative to the folder
 */
export function browserBundles() {
  return projects().flatMap(({ folder, manifest }) =>
    Object.values(manifest.exports ?? {})
      .filter(({ browser }) => browser !== undefined)
      .map(({ default: entry, browser }) => ({ folder, entry: join(entry), bundle: join(browser) })),
  );
}

/**
 * The kind of a test is in its name: `*.process.test.ts` starts real processes, `*.simulation.test.ts` runs seeds of the
 * simulator, every other `*.test.ts` is a unit test.
 *
 * @param {string} source
 * @returns {"unit" | "simulation" | "process"}
 */
export function kindOfTest(source) {
  if (source.endsWith(".process.test.ts")) return "process";
  if (source.endsWith(".simulation.test.ts")) return "simulation";
  return "unit";
}

/**
 * The compiled files of one kind of test. Sources are listed, not outputs: what was deleted must not run.
 *
 * @param {"unit" | "simulation" | "process"} kind
 * @returns {string[]} paths relative to the root
 */
export function compiledTests(kind) {
  return projects()
    .flatMap(({ folder }) =>
      filesBelow(join(root, folder, "test"))
        .filter((file) => file.endsWith(".test.ts") && kindOfTest(file) === kind)
        .map((file) => join(folder, "dist-test", file.replace(/\.ts$/, ".js"))),
    )
    .sort();
}

/** Deletes compiled files whose source is gone: the compiler leaves them, and packing would publish them. */
export function pruneOutputs() {
  const bundles = browserBundles().map(({ folder, bundle }) => join(folder, bundle));
  for (const { folder } of projects())
    for (const [sources, outputs] of [
      ["src", "dist"],
      ["test", "dist-test"],
    ])
      for (const file of filesBelow(join(root, folder, outputs))) {
        const stem = /^(.*?)(\.d\.ts|\.js)(\.map)?$/.exec(file)?.[1];
        if (bundles.includes(join(folder, outputs, file.replace(/\.map$/, "")))) continue;
        if (stem === undefined || existsSync(join(root, folder, sources, `${stem}.ts`))) continue;
        rmSync(join(root, folder, outputs, file));
        console.log(`deleted ${join(folder, outputs, file)}: its source is gone`);
      }
}

function filesBelow(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}
