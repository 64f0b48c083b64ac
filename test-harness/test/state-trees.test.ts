import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clusterId, publicKey } from "@quorate/protocol";
import { initializeStore, openStore, type ReplicaStore } from "@quorate/storage";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { stateTreeCompliance, type TreeSubject } from "./state-tree-compliance.ts";

const IDENTITY = { cluster: clusterId("ab".repeat(32)), owner: publicKey("00".repeat(32)) };

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

const paths = new Map<ReplicaStore, string>();
const openAt = (path: string): ReplicaStore => {
  const store = openStore(path, IDENTITY, { durability: "async" });
  paths.set(store, path);
  return store;
};

const lmdb: TreeSubject = {
  name: "LMDB",
  async create() {
    const folder = mkdtempSync(join(tmpdir(), "quorate-state-tree-"));
    folders.push(folder);
    const path = join(folder, "store");
    await initializeStore(path, IDENTITY);
    return openAt(path);
  },
  async reopen(store) {
    await store.close();
    return openAt(paths.get(store)!);
  },
};

const memory: TreeSubject = {
  name: "memory",
  create: async () => createMemoryStore({ schedule: queueMicrotask }),
  async reopen(store) {
    await store.close();
    return (store as MemoryStore).disk.crash();
  },
  async crash(store, groups) {
    const { disk } = store as MemoryStore;
    return disk.crash({ rest: Math.min(groups, disk.unflushedGroups) });
  },
};

for (const subject of [memory, lmdb]) stateTreeCompliance(subject);
