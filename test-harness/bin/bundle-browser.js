/**
 * Makes the single files that browsers load: `node test-harness/bin/bundle-browser.js`. There is one for each entry point with a
 * condition `browser` in the `exports` of a package: that names the file, `default` the compiled module that it is made of.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { browserBundles, root } from "./workspace.js";

/** Libraries that may be inside. Whatever else gets in by an import somewhere below fails the build. */
const LIBRARIES = ["@noble/ed25519", "@noble/hashes", "cbor-x"];
/**
 * What stands there for a module that evaluates texts. The other reads the same: cbor-x evaluates readers that it writes for maps,
 * and the wire has none.
 */
const ALIAS = { "cbor-x/decode": "cbor-x/decode-no-eval" };
/** What a page without `unsafe-eval` in its content security policy refuses to run, and reports. */
const EVALS = /\bnew Function\b|\beval\s*\(/;

for (const { folder, entry, bundle } of browserBundles()) {
  const faults = await bundleOne(join(root, folder, entry), join(root, folder, bundle));
  for (const fault of faults) console.error(`${folder}/${bundle}: ${fault}`);
  if (faults.length > 0) process.exitCode = 1;
  else report(`${folder}/${bundle}`);
}

/** Writes the file, and says what is wrong with it: nothing when all is well. */
async function bundleOne(entry, outfile) {
  try {
    const { metafile, outputFiles } = await build({
      entryPoints: [entry],
      outfile,
      absWorkingDir: root,
      bundle: true,
      alias: ALIAS,
      // No library looks for an AMD loader: everything is inside.
      define: { define: "undefined" },
      format: "esm",
      // A module of Node has no place to come from there.
      platform: "browser",
      target: "es2022",
      minify: true,
      sourcemap: true,
      metafile: true,
      logLevel: "silent",
      write: false,
    });
    const faults = [...strangers(metafile), ...evals(outputFiles)];
    if (faults.length > 0) return faults;
    mkdirSync(dirname(outfile), { recursive: true });
    for (const { path, contents } of outputFiles) writeFileSync(path, contents);
    return [];
  } catch (error) {
    return (error.errors ?? [{ text: error.message }]).map(({ text, location }) =>
      location ? `${text} (${location.file}:${location.line})` : text,
    );
  }
}

/** That an import resolves is not enough: some libraries for Node have another file for browsers, which only throws. */
function strangers({ outputs }) {
  return Object.values(outputs)
    .flatMap(({ inputs }) => Object.entries(inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => /(?:^|\/)node_modules\/((?:@[^/]+\/)?[^/]+)\/(?!.*\/node_modules\/)/.exec(path)?.[1])
    .filter((library, i, all) => library !== undefined && !LIBRARIES.includes(library) && all.indexOf(library) === i)
    .map((library) => `${library} got in: a browser loads ${LIBRARIES.join(", ")} and our own code`);
}

function evals(outputFiles) {
  return outputFiles
    .filter(({ path, text }) => path.endsWith(".js") && EVALS.test(text))
    .map(({ text }) => `has \`${EVALS.exec(text)?.[0]}\`, which a content security policy refuses`);
}

function report(path) {
  const bytes = readFileSync(join(root, path));
  console.log(`${path}: ${bytes.length} bytes, ${gzipSync(bytes, { level: 9 }).length} gzipped`);
}
