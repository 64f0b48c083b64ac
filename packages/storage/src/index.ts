/**
 * Everything one replica keeps, behind ports: the durable log of its promises, the history of committed batches, the
 * replicated state and what it keeps beside it, in one ordered stream of atomic writes with grouped flushes, on LMDB.
 * The twin in memory is `@quorate/storage/memory`, the suite that both pass `@quorate/storage/compliance`.
 *
 * @packageDocumentation
 */

export { type FolderLock, lockFolder, lockFolderToRead, lockHolderOf } from "./folder-lock.ts";
export { STORE_FORMAT, type StoreIdentity } from "./identity.ts";
export { type Durability, initializeStore, openStore, type StoreOptions } from "./lmdb-store.ts";
export * from "./ports.ts";
export { setStoreAside } from "./set-aside.ts";
export * from "./storage-error.ts";
export { openStoreToRead, type ReadLog, type StoreReader } from "./store-reader.ts";
