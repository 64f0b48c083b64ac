import { join } from "node:path";
import { initializeStore, openStore, type ReplicaStore, type StoreOptions } from "@quorate/storage";
import { type StoreSubject, storeCompliance } from "@quorate/storage/compliance";
import { createMemoryStore, type MemoryStore } from "@quorate/storage/memory";
import { IDENTITY } from "./identity.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const folder = temporaryFolder();

function lmdb(durability: "sync" | "async"): StoreSubject {
  const opened = new Map<ReplicaStore, { path: string; options: StoreOptions }>();
  const open = (path: string, options: StoreOptions): ReplicaStore => {
    const store = openStore(path, IDENTITY, options);
    opened.set(store, { path, options });
    return store;
  };
  return {
    name: `LMDB (${durability})`,
    async create(options) {
      const path = join(folder(), "store");
      await initializeStore(path, IDENTITY);
      return open(path, { ...options, durability });
    },
    async reopen(store) {
      await store.close();
      const { path, options } = opened.get(store)!;
      return open(path, options);
    },
  };
}

const memory: StoreSubject = {
  name: "memory",
  create: async (options) => createMemoryStore({ ...options, schedule: queueMicrotask }),
  async reopen(store) {
    await store.close();
    return (store as MemoryStore).disk.crash();
  },
  crash: async (store) => (store as MemoryStore).disk.crash(),
};

for (const subject of [lmdb("sync"), lmdb("async"), memory]) storeCompliance({ describe, it }, subject);
