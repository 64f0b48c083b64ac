import type { SequenceNumber } from "@quorate/protocol";
import type { History, ReplicaStore } from "@quorate/storage";

/** A store that tells of every entry that is put into its history. */
export function archivingStore(store: ReplicaStore, archive: Map<number, Uint8Array>): ReplicaStore {
  const put = (seq: SequenceNumber, entry: Uint8Array): void => {
    archive.set(seq, entry);
    store.history.put(seq, entry);
  };
  return withProperties(store, { history: withProperties<History>(store.history, { put }) });
}

/** The object as it is, but for some of its properties; methods run on the object itself, which may have private fields. */
function withProperties<T extends object>(object: T, given: Partial<T>): T {
  return new Proxy(object, {
    get: (target, name) => {
      if (name in given) return given[name as keyof T];
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
