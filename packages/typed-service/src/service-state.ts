import { isUtf8, utf8, utf8Text } from "@quorate/protocol";
import type { StateStore } from "@quorate/state-machine";
import { decodeValue, encodeValue, type ServiceValue, ServiceValueError } from "./service-value.ts";

/** What the operations of a service keep: values under keys that are texts. It belongs to one operation, as `StateStore` does. */
export class ServiceState {
  readonly #store: StateStore;

  constructor(store: StateStore) {
    this.#store = store;
  }

  /** What the service has put there. `T` is its own word for it. */
  get<T extends ServiceValue>(key: string): T | undefined {
    const bytes = this.#store.get(bytesOf(key));
    return bytes && (decodeValue(bytes) as T);
  }

  /** @throws ServiceValueError for what is no value. */
  set(key: string, value: Exclude<ServiceValue, undefined>): void {
    this.#store.put(bytesOf(key), encodeValue(value));
  }

  delete(key: string): void {
    this.#store.delete(bytesOf(key));
  }

  /** All keys that begin with `prefix`, in the order of their bytes. */
  *entries<T extends ServiceValue>(prefix = ""): Iterable<readonly [key: string, value: T]> {
    const from = bytesOf(prefix);
    for (const [key, value] of this.#store.range(from, behind(from))) {
      // The keys are this class's own.
      if (isUtf8(key, 0, key.length)) yield [utf8Text(key), decodeValue(value) as T];
    }
  }
}

function bytesOf(key: string): Uint8Array {
  if (/\p{Surrogate}/u.test(key))
    throw new ServiceValueError("a key has half of a surrogate pair, expected whole characters");
  return utf8(key);
}

/** Behind all that begins with these bytes of a text, which never end in 0xff. */
function behind(prefix: Uint8Array): Uint8Array | undefined {
  const last = prefix.at(-1);
  if (last === undefined) return undefined;
  const bytes = new Uint8Array(prefix);
  bytes[bytes.length - 1] = last + 1;
  return bytes;
}
