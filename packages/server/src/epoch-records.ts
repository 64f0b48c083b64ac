import { type Codec, describeDecodeError } from "@quorate/codec";
import type { Epoch, EpochLink, OrderedReader, OrderedStore } from "@quorate/protocol";
import { epochNumber, PreimageWriter, RecordReader, utf8 } from "@quorate/protocol";
import { describeChainFault, EpochChain, type LinkJudge } from "@quorate/reconfiguration";
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

/** A link on the disk is not what was written there. Others have it, too. */
export class EpochDamage extends Error {
  readonly code = "epochs.damaged";
  /** The epochs below it. */
  readonly known: EpochChain;
  /** The last epoch that was noted, and that this replica may have spoken in. */
  readonly last: Epoch;

  constructor(what: string, known: EpochChain, last: Epoch) {
    super(`the link that begins epoch ${known.epoch + 1} is damaged on this disk: ${what}`);
    this.name = "EpochDamage";
    this.known = known;
    this.last = last;
  }
}

/**
 * The epochs that a store knows, each proven again by those before it.
 *
 * @throws EpochDamage for a link that is not what was written.
 */
export function readEpochs(
  local: OrderedReader,
  { genesis, codec, ...judge }: LinkJudge & Pick<RunnerOptions, "genesis" | "codec">,
): EpochChain {
  const chain = new EpochChain(judge, genesis);
  const records = [...local.range(keyOf(1), keyOf(Number.MAX_SAFE_INTEGER))];
  const lastKey = records.at(-1)?.[0];
  if (lastKey === undefined) return chain;
  const last = epochNumber(new RecordReader(lastKey.subarray(PREFIX.length)).u64());
  for (const [, value] of records) {
    const decoded = codec.decodeEpochLink(value);
    if (!decoded.ok) throw new EpochDamage(`it does not decode: ${describeDecodeError(decoded.error)}`, chain, last);
    const verdict = chain.add(decoded.value);
    if (verdict === "added") continue;
    throw new EpochDamage(describeChainFault({ fault: verdict, epoch: chain.epoch + 1 }), chain, last);
  }
  return chain;
}

/** In the order of the epochs. */
function keyOf(epoch: Epoch | number): Uint8Array {
  return new PreimageWriter(KEY_BYTES).raw(PREFIX).u64(epoch).finish();
}
