import type { Codec } from "@quorate/codec";
import type { Epoch, EpochLink, OrderedReader, OrderedStore } from "@quorate/protocol";
import { invariant, PreimageWriter, utf8 } from "@quorate/protocol";
import { EpochChain, type LinkJudge } from "@quorate/reconfiguration";
import type { RunnerOptions } from "./host-options.ts";

const PREFIX = utf8("host/epoch/");
const KEY_BYTES = PREFIX.length + 8;

/**
 * Notes a link of the epoch chain beside the state. Durable before anything is said in its epoch: a replica that has forgotten the
 * epoch it spoke in would vote in the one before.
 */
export function writeEpochLink(store: OrderedStore, codec: Codec, link: EpochLink): void {
  store.write([{ key: keyOf(link.certificate.epoch + 1), value: codec.encodeEpochLink(link) }]);
}

/** The epochs that a store knows, each proven again by those before it. */
export function readEpochs(
  local: OrderedReader,
  { genesis, codec, ...judge }: LinkJudge & Pick<RunnerOptions, "genesis" | "codec">,
): EpochChain {
  const chain = new EpochChain(judge, genesis);
  for (const [, value] of local.range(keyOf(1), keyOf(Number.MAX_SAFE_INTEGER))) {
    const decoded = codec.decodeEpochLink(value);
    invariant(decoded.ok, "host.epoch-record", { above: chain.epoch });
    const verdict = chain.add(decoded.value);
    invariant(verdict === "added", "host.epoch-record", { above: chain.epoch, verdict });
  }
  return chain;
}

/** In the order of the epochs. */
function keyOf(epoch: Epoch | number): Uint8Array {
  return new PreimageWriter(KEY_BYTES).raw(PREFIX).u64(epoch).finish();
}
