import type { Codec } from "@quorate/codec";
import { type CheckpointCertificate, invariant, type OrderedReader, type OrderedStore, utf8 } from "@quorate/protocol";

/** What a replica brings its state to. */
export interface Installation {
  readonly target: CheckpointCertificate;
  /** What is here was found damaged or wrong: every entry is checked before it is taken for one of the target. */
  readonly distrustsEntries: boolean;
}

const KEY = utf8("host/installation");

/**
 * Notes beside the state that it is being brought to a checkpoint: after a restart the installation goes on. Written before
 * the state is touched, and removed after it is whole.
 */
export function writeInstallation(store: OrderedStore, codec: Codec, installation: Installation | undefined): void {
  store.write([{ key: KEY, value: installation && encode(installation, codec) }]);
}

/** The installation that a store is in the middle of. */
export function readInstallation(store: OrderedReader, codec: Codec): Installation | undefined {
  const value = store.get(KEY);
  if (value === undefined) return undefined;
  const decoded = codec.decodeLogRecord(value.subarray(1));
  invariant(decoded.ok && decoded.value.type === "stable", "host.installation-record");
  return { target: decoded.value.checkpoint, distrustsEntries: value[0] === 1 };
}

function encode({ target, distrustsEntries }: Installation, codec: Codec): Uint8Array {
  const record = codec.encodeLogRecord({ type: "stable", checkpoint: target });
  const value = new Uint8Array(1 + record.length);
  value[0] = distrustsEntries ? 1 : 0;
  value.set(record, 1);
  return value;
}
