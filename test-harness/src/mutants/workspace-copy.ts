import { cpSync, mkdirSync, mkdtempSync, readdirSync, readlinkSync, realpathSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

const COPIED = [
  "packages",
  "test-harness",
  "benchmarks",
  "docs",
  "package.json",
  "tsconfig.base.json",
  ".mocharc.json",
];
const LEFT_OUT: ReadonlySet<string> = new Set(["dist", "dist-test", "node_modules", "coverage"]);

/** The sources of the workspace in a folder of their own, to be spoilt; what is installed is linked to. */
export class WorkspaceCopy {
  readonly root: string;

  constructor(original: string) {
    this.root = realpathSync(mkdtempSync(join(tmpdir(), "quorate-mutants-")));
    for (const entry of COPIED)
      cpSync(join(original, entry), join(this.root, entry), {
        recursive: true,
        filter: (path) => !LEFT_OUT.has(basename(path)),
      });
    linkModules(original, this.root);
    for (const project of readdirSync(join(original, "packages"))) {
      const folder = join("packages", project);
      // Tests of what is no entry point import what was compiled: here that is the source, `.js` for `.ts`.
      symlinkSync("src", join(this.root, folder, "dist"));
      if (readdirSync(join(original, folder)).includes("node_modules"))
        linkModules(join(original, folder), join(this.root, folder));
    }
  }

  pathOf(file: string): string {
    return join(this.root, file);
  }

  remove(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}

/** Packages of others are linked to where they are; our own links are relative, and lead into the copy. */
function linkModules(from: string, to: string): void {
  const target = join(to, "node_modules");
  mkdirSync(target);
  for (const entry of readdirSync(join(from, "node_modules"), { withFileTypes: true })) {
    const path = join(from, "node_modules", entry.name);
    if (entry.isSymbolicLink()) symlinkSync(readlinkSync(path), join(target, entry.name));
    else if (entry.name.startsWith("@")) linkScope(path, join(target, entry.name));
    else symlinkSync(path, join(target, entry.name));
  }
}

function linkScope(from: string, to: string): void {
  mkdirSync(to);
  for (const entry of readdirSync(from, { withFileTypes: true })) {
    const path = join(from, entry.name);
    symlinkSync(entry.isSymbolicLink() ? readlinkSync(path) : resolve(path), join(to, entry.name));
  }
}
