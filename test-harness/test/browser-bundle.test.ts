import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect } from "chai";
import ts from "typescript";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");
/** What a page has to load for its client, gzipped: 60 kB. */
const GZIPPED_BYTES_MAX = 61_440;
const BUNDLE = "packages/quorate/dist/browser/quorate.js";
/** What whoever judges receipts has to load, without a client. */
const RECEIPT_BUNDLE = "packages/quorate/dist/browser/receipt.js";
const RECEIPT_GZIPPED_BYTES_MAX = 36_000;

function makeBundles(workspace: string): { code: number | null; stdout: string; stderr: string } {
  const script = join(workspace, "test-harness/bin/bundle-browser.js");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  return { code: status, stdout, stderr };
}

describe("The file that browsers load", function () {
  this.timeout(60_000);
  let made: ReturnType<typeof makeBundles>;
  let text: string;
  before(() => {
    made = makeBundles(root);
    text = made.code === 0 ? readFileSync(join(root, BUNDLE), "utf8") : "";
  });

  it("is made of what was compiled, and its size is told", () => {
    expect(made.stderr).to.equal("");
    expect(made.stdout).to.match(/^packages\/quorate\/dist\/browser\/quorate\.js: \d+ bytes, \d+ gzipped$/m);
  });

  it(`is smaller than ${GZIPPED_BYTES_MAX} bytes, gzipped`, () => {
    expect(text.length).to.be.greaterThan(10_000);
    expect(gzipSync(text, { level: 9 }).length).to.be.lessThan(GZIPPED_BYTES_MAX);
  });

  it("is one module, which imports nothing", () => {
    const { importedFiles } = ts.preProcessFile(text, true, true);

    expect(importedFiles.map(({ fileName }) => fileName)).to.deep.equal([]);
  });

  it("has the same face as the module that it is made of", async () => {
    const [module, file] = await Promise.all([import("quorate/browser"), import(join(root, BUNDLE))]);

    expect(Object.keys(file).sort()).to.deep.equal(Object.keys(module).sort());
  });

  it("has a source map with the sources", () => {
    const map = JSON.parse(readFileSync(join(root, `${BUNDLE}.map`), "utf8"));

    expect(map.sources).to.include("../../src/browser.ts");
    expect(map.sourcesContent).to.have.length(map.sources.length);
  });

  it("has nothing of what replicas tell each other", () => {
    const map = JSON.parse(readFileSync(join(root, `${BUNDLE}.map`), "utf8"));
    const inside = (source: string): boolean => map.sources.includes(`../../../${source}`);
    const replicas = ["vote-frames", "view-changes", "state-transfer", "evidence"].map((n) => `codec/src/${n}.ts`);

    for (const source of replicas) expect(existsSync(join(root, "packages", source)), source).to.equal(true);
    expect(inside("codec/src/outputs.ts")).to.equal(true);
    expect(replicas.filter(inside)).to.deep.equal([]);
  });
});

describe("The file that judges receipts", function () {
  this.timeout(60_000);

  it("is small, and has no client and no sockets", () => {
    expect(makeBundles(root).code).to.equal(0);
    const map = JSON.parse(readFileSync(join(root, `${RECEIPT_BUNDLE}.map`), "utf8")) as { sources: string[] };
    const inside = (folder: string): string[] => map.sources.filter((source) => source.includes(folder));

    const text = readFileSync(join(root, RECEIPT_BUNDLE), "utf8");
    expect(gzipSync(text, { level: 9 }).length).to.be.within(10_000, RECEIPT_GZIPPED_BYTES_MAX);
    expect(inside("/reconfiguration/src/")).to.not.be.empty;
    for (const folder of ["/transport/src/", "/client-proxy/src/"]) expect(inside(folder), folder).to.be.empty;
    expect(text).to.not.match(/WebSocket/);
  });

  it("has the same face as the module that it is made of", async () => {
    const [module, file] = await Promise.all([import("quorate/receipt"), import(join(root, RECEIPT_BUNDLE))]);

    expect(Object.keys(file)).to.deep.equal(Object.keys(module));
  });
});

describe("The build of files that browsers load", function () {
  this.timeout(60_000);
  let copy: string;
  beforeEach(() => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), "quorate-bundle-")));
    cpSync(join(root, "test-harness/bin"), join(copy, "test-harness/bin"), { recursive: true });
    symlinkSync(join(root, "node_modules"), join(copy, "node_modules"), "dir");
    for (const folder of ["test-harness", "benchmarks"]) write(`${folder}/package.json`, '{ "type": "module" }');
    write("package.json", JSON.stringify({ type: "module" }));
    const entry = { browser: "./dist/one/file.js", default: "./dist/entry.js" };
    write("packages/planted/package.json", JSON.stringify({ type: "module", exports: { ".": entry } }));
  });
  afterEach(() => rmSync(copy, { recursive: true }));

  it("makes one of each entry point with a condition for browsers", () => {
    write("packages/planted/dist/other.js", "export const answer = 42;");
    write("packages/planted/dist/entry.js", 'export { answer } from "./other.js"; import "@noble/hashes/sha2.js";');

    const { code, stdout } = makeBundles(copy);

    expect(code).to.equal(0);
    expect(stdout).to.match(/^packages\/planted\/dist\/one\/file\.js: \d+ bytes, \d+ gzipped\n$/);
    expect(readFileSync(join(copy, "packages/planted/dist/one/file.js"), "utf8")).to.contain("42");
  });

  const refused: readonly (readonly [what: string, source: string, reason: RegExp])[] = [
    [
      "a module of Node",
      'import { readFileSync } from "node:fs"; console.log(readFileSync);',
      /"node:fs".*dist\/other\.js:1/,
    ],
    ["a module of Node by its old name", 'import "events"; export const a = 1;', /"events".*dist\/other\.js:1/],
    ["a library that has nothing for browsers but an error", 'import ws from "ws"; console.log(ws);', /ws got in/],
    ["a log library", 'import pino from "pino"; console.log(pino);', /pino got in/],
    ["what needs `unsafe-eval`", 'export const f = new Function("return 1");', /new Function/],
  ];
  for (const [what, source, reason] of refused)
    it(`fails, and makes nothing, when ${what} gets in`, () => {
      write("packages/planted/dist/other.js", source);
      write("packages/planted/dist/entry.js", 'export * from "./other.js";');

      const { code, stderr } = makeBundles(copy);

      expect(code).to.equal(1);
      expect(stderr)
        .to.match(/^packages\/planted\/dist\/one\/file\.js: /)
        .and.match(reason);
      expect(existsSync(join(copy, "packages/planted/dist/one"))).to.equal(false);
    });

  function write(file: string, content: string): void {
    mkdirSync(dirname(join(copy, file)), { recursive: true });
    writeFileSync(join(copy, file), content);
  }
});
