import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import ts from "typescript";

const PACKAGE = fileURLToPath(new URL("..", import.meta.url));
const ROOT_README = fileURLToPath(new URL("../../../README.md", import.meta.url));
const BROWSER_DOCUMENT = fileURLToPath(new URL("../../../docs/browser.md", import.meta.url));
const FIRST_SERVICE = fileURLToPath(new URL("../../../docs/first-service.md", import.meta.url));
const manifest = JSON.parse(readFileSync(join(PACKAGE, "package.json"), "utf8"));

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  types: ["node"],
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  noUnusedLocals: true,
  skipLibCheck: true,
  noEmit: true,
  allowJs: true,
  checkJs: true,
};

/** What the compiler has to say about sources that stand in this package without being on the disk. */
function complaints(sources: ReadonlyMap<string, string>): string[] {
  const host = ts.createCompilerHost(OPTIONS);
  const { readFile, fileExists, getSourceFile } = host;
  host.fileExists = (path) => sources.has(path) || fileExists(path);
  host.readFile = (path) => sources.get(path) ?? readFile(path);
  host.getSourceFile = (path, target, ...rest) => {
    const text = sources.get(path);
    return text === undefined ? getSourceFile(path, target, ...rest) : ts.createSourceFile(path, text, target, true);
  };
  const program = ts.createProgram([...sources.keys()], OPTIONS, host);
  return ts.getPreEmitDiagnostics(program).map(({ messageText, file, start = 0 }) => {
    const line = file === undefined ? "" : `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1} `;
    return `${line}${ts.flattenDiagnosticMessageText(messageText, "\n")}`;
  });
}

const examplesOf = (readme: string): string[] =>
  [...readme.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, code]) => code as string);

const asFiles = (texts: readonly string[]): Map<string, string> =>
  new Map(texts.map((text, i) => [join(PACKAGE, `example-${i}.mts`), text]));

describe("the quorate package", function () {
  this.timeout(120_000);

  it("has examples in its README that compile", () => {
    const readme = readFileSync(join(PACKAGE, "README.md"), "utf8");
    const examples = examplesOf(readme);

    expect(examples).to.have.length.greaterThan(2);
    expect(complaints(asFiles(examples))).to.deep.equal([]);
  });

  it("has examples in the README of the whole that compile, files that they name included", () => {
    const readme = readFileSync(ROOT_README, "utf8");
    const named = [...readme.matchAll(/`(\w+\.mjs)`:\n\n```js\n([\s\S]*?)^```$/gm)];
    const files = named.map(([, name, code]) => [join(PACKAGE, name as string), code as string] as const);

    expect(files.map(([path]) => path)).to.deep.equal([join(PACKAGE, "counter.mjs"), join(PACKAGE, "add.mjs")]);
    expect(examplesOf(readme)).to.have.length.greaterThan(2);
    expect(complaints(new Map([...files, ...asFiles(examplesOf(readme))]))).to.deep.equal([]);
  });

  it("has a first service whose sources compile, with the types that its client takes from it", () => {
    const document = readFileSync(FIRST_SERVICE, "utf8");
    const [, service = ""] = /`seats\.mjs`:\n\n```js\n([\s\S]*?)^```$/m.exec(document) ?? [];
    const examples = examplesOf(document);

    expect([service.length > 0, examples.length]).to.deep.equal([true, 1]);
    const sources = new Map([[join(PACKAGE, "seats.mjs"), service], ...asFiles(examples)]);
    expect(complaints(sources)).to.deep.equal([]);
    const wrong = examples.map((code) => code.replace('"7C", "Grace"', '"7C", 7'));
    expect(complaints(new Map([...sources, ...asFiles(wrong)])), "the client is typed by it").to.have.length(1);
  });

  it("has an example in the document about browsers that compiles", () => {
    const examples = examplesOf(readFileSync(BROWSER_DOCUMENT, "utf8"));

    expect(examples).to.have.length(1);
    expect(complaints(asFiles(examples))).to.deep.equal([]);
  });

  it("would notice an example that does not compile", () => {
    const [wrong] = complaints(asFiles(['import { connect } from "quorate";\nawait connect({ genes: "x" });\n']));

    expect(wrong).to.match(/example-0\.mts:2 .*'genes' does not exist in type 'ConnectOptions'/);
  });

  it("has types for every entry point", () => {
    const entries = Object.entries(manifest.exports as Record<string, { types: string; default: string }>);

    expect(entries.map(([name]) => name)).to.deep.equal([".", "./browser", "./service", "./receipt"]);
    for (const [name, { types, default: code }] of entries) {
      expect(existsSync(join(PACKAGE, types)), `${name}: ${types}`).to.equal(true);
      expect(existsSync(join(PACKAGE, code)), `${name}: ${code}`).to.equal(true);
    }
    // A namespace that were `any` would have every member.
    const uses = entries.map(([name]) => `import * as entry from "quorate${name.slice(1)}";\nentry.noSuchThing;\n`);
    const found = complaints(asFiles(uses));
    expect(found).to.have.length(entries.length);
    for (const complaint of found) expect(complaint).to.match(/Property 'noSuchThing' does not exist on type/);
  });
});
