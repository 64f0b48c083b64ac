import { chmodSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { initializeStore, lockFolder, lockHolderOf } from "@quorate/storage";
import { expect } from "chai";
import { expectFailure } from "./failures.ts";
import { IDENTITY } from "./identity.ts";
import { openIn, temporaryFolder } from "./temporary-folder.ts";

const NOBODY = 65_534;

/** Runs it without the rights of root, which nothing is refused to. */
function unprivileged(run: () => void): void {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid?.(NOBODY);
  try {
    run();
  } finally {
    process.seteuid?.(0);
  }
}

describe("A folder that this process may not change", () => {
  const folder = temporaryFolder();

  it("is refused by the lock, in one line that says what to do, and left without a mark", () => {
    const path = folder();
    chmodSync(path, 0o555);

    unprivileged(() => expectFailure(() => lockFolder(path), "storage.inaccessible", path, "EACCES", "the right to"));

    expect(readdirSync(path)).to.deep.equal([]);
  });

  it("tells nobody who has locked it, in the same line", () => {
    const path = folder();
    chmodSync(path, 0);

    unprivileged(() => expectFailure(() => lockHolderOf(path), "storage.inaccessible", path, "EACCES", "the right to"));

    chmodSync(path, 0o700);
  });

  for (const [what, closed] of [
    ["database", "data.mdb"],
    // Without the look at it LMDB takes the process down.
    ["table of readers", "lock.mdb"],
    ["log", "log/00000001.wal"],
  ] as const)
    it(`is no lost disk when it is the store's ${what}, and opens once it may be changed`, async () => {
      const path = folder();
      await initializeStore(path, IDENTITY);
      chmodSync(path, 0o777);
      chmodSync(join(path, "log"), 0o777);
      for (const name of ["data.mdb", "lock.mdb", "log/00000001.wal"])
        chmodSync(join(path, name), name === closed ? 0o444 : 0o666);

      unprivileged(() => expectFailure(() => openIn(path), "storage.inaccessible", path, "EACCES", "is lost"));

      for (const name of ["data.mdb", "lock.mdb", "log/00000001.wal"]) chmodSync(join(path, name), 0o600);
      const store = openIn(path);
      await store.close();
    });

  it("is looked into with the same words when not even that is allowed", async () => {
    const path = folder();
    await initializeStore(path, IDENTITY);
    chmodSync(path, 0);

    unprivileged(() => expectFailure(() => openIn(path), "storage.inaccessible", path, "EACCES"));

    chmodSync(path, 0o700);
  });
});
