import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, { readonly source?: string }>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** A file that breaks a rule, and the rule. */
interface Plant {
  readonly file: string;
  readonly source: string;
  readonly rule: string;
}

const PLANTS: readonly Plant[] = [
  // One floor: up, sideways, and past what a package is allowed below.
  plant("packages/protocol/src/planted.ts", 'import "@quorate/codec";', "floors-protocol"),
  plant("packages/codec/src/planted.ts", 'import "@quorate/crypto";', "floors-codec"),
  plant("packages/pbft-core/src/planted.ts", 'import "@quorate/checkpoint";', "floors-pbft-core"),
  plant("packages/checkpoint/src/planted.ts", 'import type {} from "@quorate/replica";', "floors-checkpoint"),
  plant("packages/state-transfer/src/planted.ts", 'import "@quorate/crypto";', "floors-state-transfer"),
  plant("packages/client-proxy/src/planted.ts", 'import "@quorate/state-machine";', "floors-client-proxy"),
  plant("packages/replica/src/planted.ts", 'import "@quorate/client-proxy";', "floors-replica"),
  plant("packages/kv/src/planted.ts", 'import "@quorate/replica";', "floors-kv"),
  plant("packages/server/src/planted.ts", 'import "quorate";', "floors-server"),
  plant("packages/storage/src/planted.ts", 'import "@quorate/test-harness";', "floors-storage"),
  plant("packages/transport/src/planted.ts", 'import "@quorate/storage/memory";', "floors-transport"),
  plant("packages/storage/test/planted.test.ts", 'import "@quorate/transport";', "floors-storage-tests"),
  plant("packages/crypto/test/planted.test.ts", 'import "@quorate/test-harness";', "floors-crypto-tests"),
  // The sans-I/O packages.
  plant("packages/pbft-core/src/planted-core.ts", 'import "node:fs";', "sans-io-no-core-modules"),
  plant("packages/kv/src/planted-core.ts", 'import "timers/promises";', "sans-io-no-core-modules"),
  plant("packages/replica/src/planted-library.ts", 'import "pino";', "sans-io-replica"),
  plant("packages/protocol/src/planted-library.ts", 'import "@noble/hashes";', "sans-io-protocol"),
  plant("packages/codec/src/planted-library.ts", 'import "ws";', "sans-io-codec"),
  plant("packages/state-machine/src/planted-library.ts", 'import "lmdb";', "sans-io-state-machine"),
  // The door to `Verified`.
  plant(
    "packages/server/src/planted-door.ts",
    'import "@quorate/protocol/verification";',
    "verification-only-by-crypto",
  ),
  plant("test-harness/src/planted-door.ts", 'import "@quorate/protocol/verification";', "verification-only-by-crypto"),
  // Faces and declarations.
  plant("packages/server/src/planted-path.ts", 'import "../../codec/src/index.ts";', "only-the-face"),
  plant("test-harness/src/planted-path.ts", 'import "../../packages/codec/src/index.ts";', "only-the-face"),
  plant("packages/server/src/planted-face.ts", 'import "@quorate/codec/src/index.ts";', "resolvable"),
  plant("packages/server/src/planted-missing.ts", 'import "./nowhere.ts";', "resolvable"),
  plant("packages/transport/src/planted-undeclared.ts", 'import "commander";', "declared"),
  plant("packages/attic/src/index.ts", 'import "@quorate/protocol";', "every-package-has-a-floor"),
  // A circle of two.
  plant("packages/server/src/planted-a.ts", 'import "./planted-b.ts"; export const a = 1;', "no-circular"),
  // What a browser loads may not reach Node, not even through a file in between.
  plant("packages/crypto/src/index.ts", 'import "./planted-node.ts";', "browser-safe"),
  plant("packages/client-proxy/src/index.ts", 'import "node:net";', "browser-safe"),
  plant("packages/transport/src/client.ts", 'import "ws";', "browser-safe"),
  plant("packages/quorate/src/browser.ts", 'import "@quorate/storage";', "browser-safe"),
];
/** Needed by the plants above, and no breach themselves. */
const BESIDE: readonly (readonly [file: string, source: string])[] = [
  ["packages/crypto/src/planted-node.ts", 'import "node:crypto";'],
  ["packages/storage/src/index.ts", 'import "lmdb";'],
  ["packages/server/src/planted-b.ts", 'import "./planted-a.ts"; export const b = 1;'],
];
/** What looks forbidden and is not. */
const ALLOWED: readonly (readonly [file: string, source: string])[] = [
  ["packages/crypto/src/planted-allowed.ts", 'import "@quorate/protocol/verification"; import "@noble/hashes";'],
  ["packages/codec/src/planted-allowed.ts", 'import "cbor-x"; import "@quorate/protocol";'],
  ["packages/state-machine/src/planted-allowed.ts", 'import "@quorate/crypto";'],
  ["packages/pbft-core/test/planted-allowed.test.ts", 'import "@quorate/protocol/verification"; import "node:fs";'],
  ["packages/server/src/planted-allowed.ts", 'import "@quorate/replica"; import "node:fs"; import "pino";'],
  ["packages/server/src/planted-type-a.ts", 'import type { B } from "./planted-type-b.ts"; export type A = B | 1;'],
  ["packages/server/src/planted-type-b.ts", 'import type { A } from "./planted-type-a.ts"; export type B = A[] | 2;'],
];

describe("The import rules of the workspace", function () {
  this.timeout(120_000);
  let copy: string;

  before(() => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), "quorate-import-rules-")));
    copySkeleton(copy);
  });
  after(() => rmSync(copy, { recursive: true }));

  it("accept the skeleton and what looks forbidden but is allowed", () => {
    for (const [file, source] of ALLOWED) write(copy, file, source);

    expect(violations(copy)).to.deep.equal([]);
  });

  it("refuse every planted violation by its own rule, and accuse no other file", () => {
    for (const { file, source } of PLANTS) write(copy, file, source);
    for (const [file, source] of BESIDE) write(copy, file, source);

    const found = violations(copy);

    for (const { file, rule } of PLANTS)
      expect(found, `${file} must break ${rule}`).to.deep.include({ from: file, rule });
    const files = new Set(PLANTS.map((p) => p.file));
    expect(found.filter(({ from }) => !files.has(from))).to.deep.equal([]);
  });
});

function plant(file: string, source: string, rule: string): Plant {
  return { file, source, rule };
}

/** The manifests of the workspace with an empty module for each entry point, and an empty package for each library. */
function copySkeleton(target: string): void {
  const folders = readdirSync(join(root, "packages"))
    .filter((name) => existsSync(join(root, "packages", name, "package.json")))
    .map((name) => `packages/${name}`);
  const libraries = new Set(["commander"]);
  for (const folder of [...folders, "test-harness", "benchmarks"]) {
    const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
    write(target, `${folder}/package.json`, JSON.stringify(manifest));
    for (const { source } of Object.values(manifest.exports))
      if (source !== undefined) write(target, join(folder, source), "export {};\n");
    mkdirSync(dirname(join(target, "node_modules", manifest.name)), { recursive: true });
    symlinkSync(join(target, folder), join(target, "node_modules", manifest.name), "dir");
    for (const name of Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies })) libraries.add(name);
  }
  for (const name of libraries) {
    if (existsSync(join(target, "node_modules", name))) continue;
    write(target, `node_modules/${name}/package.json`, JSON.stringify({ name, version: "1.0.0", main: "index.js" }));
    write(target, `node_modules/${name}/index.js`, "export {};\n");
  }
  for (const file of ["package.json", ".dependency-cruiser.cjs"]) copyFileSync(join(root, file), join(target, file));
}

function write(target: string, file: string, source: string): void {
  mkdirSync(dirname(join(target, file)), { recursive: true });
  writeFileSync(join(target, file), source);
}

interface CruiseReport {
  readonly summary: {
    readonly totalCruised: number;
    readonly violations: readonly { readonly from: string; readonly rule: { readonly name: string } }[];
  };
}

function violations(folder: string): { from: string; rule: string }[] {
  const cruiser = join(root, "node_modules/dependency-cruiser/bin/dependency-cruise.mjs");
  const output = execFileSync(
    process.execPath,
    [cruiser, "--config", ".dependency-cruiser.cjs", "--output-type", "json", "packages", "test-harness", "benchmarks"],
    { cwd: folder, encoding: "utf8", maxBuffer: 2 ** 26 },
  );
  const { summary } = JSON.parse(output) as CruiseReport;
  expect(summary.totalCruised).to.be.greaterThan(15);
  return summary.violations.map(({ from, rule }) => ({ from, rule: rule.name }));
}
