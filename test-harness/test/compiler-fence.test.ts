import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import ts from "typescript";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "../..");

/** The packages that are pure functions; the import rules hold the same list. */
const SANS_IO = [
  "protocol",
  "codec",
  "pbft-core",
  "checkpoint",
  "state-transfer",
  "state-machine",
  "client-proxy",
  "replica",
  "kv",
];

/** Each is one module that must not compile inside the fence. */
const FORBIDDEN: Readonly<Record<string, string>> = {
  setTimeout: "setTimeout(() => undefined, 1);",
  setInterval: "setInterval(() => undefined, 1);",
  setImmediate: "setImmediate(() => undefined);",
  queueMicrotask: "queueMicrotask(() => undefined);",
  performance: "export const now: number = performance.now();",
  process: "export const pid: number = process.pid;",
  Buffer: 'export const bytes: Uint8Array = Buffer.from("00");',
  console: 'console.log("here");',
  crypto: "export const bytes: Uint8Array = crypto.getRandomValues(new Uint8Array(1));",
  fetch: 'export const answer: unknown = fetch("http://localhost");',
  WebSocket: 'export const socket: unknown = new WebSocket("ws://localhost");',
  require: 'export const fs: unknown = require("fs");',
  "node:fs": 'import { readFileSync } from "node:fs"; export const read: unknown = readFileSync;',
  "types of Node": 'import type { Socket } from "node:net"; export type S = Socket;',
  "an enum": "export enum Role { Primary, Backup }",
  "a parameter property": "export class Holder { constructor(readonly held: number) {} }",
  "an export without its type": "export const total = [1].reduce((a, b) => a + b);",
  "an unchecked index": "export const first = (list: readonly number[]): number => list[0];",
};

/** Compiles, so that the errors above are the fence's and not the set-up's. */
const ALLOWED =
  'export function hex(bytes: Uint8Array): string {\n  return bytes.join("") + String(Math.max(1, 2));\n}';

describe("The compiler fence of the sans-I/O packages", function () {
  this.timeout(120_000);

  for (const name of SANS_IO)
    it(`makes clocks, timers, Node and untidy TypeScript errors in ${name}`, () => {
      const errors = errorsOf(name, { ...FORBIDDEN, "what is allowed": ALLOWED });

      for (const what of Object.keys(FORBIDDEN)) expect(errors.get(what), what).to.not.be.empty;
      expect(errors.get("what is allowed")).to.deep.equal([]);
    });

  it("is the package's own configuration: where Node is allowed, timers compile", () => {
    const { setTimeout: timer = "", process: environment = "" } = FORBIDDEN;

    const errors = errorsOf("server", { timer, environment });

    expect([...errors.values()].flat()).to.deep.equal([]);
  });

  it("names what is missing, rather than something else", () => {
    const errors = errorsOf("pbft-core", FORBIDDEN);

    expect(errors.get("setTimeout")?.join()).to.match(/Cannot find name 'setTimeout'/);
    expect(errors.get("process")?.join()).to.match(/Cannot find name 'process'/);
    expect(errors.get("node:fs")?.join()).to.match(/Cannot find (module|name) 'node:fs'/);
    expect(errors.get("an enum")?.join()).to.match(/erasableSyntaxOnly/);
    expect(errors.get("an export without its type")?.join()).to.match(/isolatedDeclarations/);
  });
});

/** The diagnostics of each snippet as a file of the package's `src`, under the package's own tsconfig. */
function errorsOf(name: string, snippets: Readonly<Record<string, string>>): Map<string, string[]> {
  const folder = join(root, "packages", name);
  const parsed = ts.parseJsonConfigFileContent(
    ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile).config,
    ts.sys,
    folder,
  );
  expect(parsed.errors).to.deep.equal([]);
  const options: ts.CompilerOptions = { ...parsed.options, noEmit: true, composite: false, incremental: false };
  delete options.tsBuildInfoFile;
  const labels = Object.keys(snippets);
  const files = new Map(labels.map((label, i) => [join(folder, "src", `planted-${i}.ts`), snippets[label] ?? ""]));

  const program = ts.createProgram([...files.keys()], options, hostWith(files, options));

  const errors = new Map<string, string[]>();
  for (const [i, file] of [...files.keys()].entries()) {
    const source = program.getSourceFile(file);
    const diagnostics = ts.getPreEmitDiagnostics(program, source);
    errors.set(
      labels[i] ?? "",
      diagnostics.map((d) => ts.flattenDiagnosticMessageText(d.messageText, "\n")),
    );
  }
  return errors;
}

const parsedLibraries = new Map<string, ts.SourceFile | undefined>();

function hostWith(files: ReadonlyMap<string, string>, options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const { fileExists } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFileSync(file, "utf8");
  const getSourceFile = host.getSourceFile.bind(host);
  host.getSourceFile = (file, language, ...rest) => {
    const planted = files.get(file);
    if (planted !== undefined) return ts.createSourceFile(file, planted, language);
    if (!parsedLibraries.has(file)) parsedLibraries.set(file, getSourceFile(file, language, ...rest));
    return parsedLibraries.get(file);
  };
  return host;
}
