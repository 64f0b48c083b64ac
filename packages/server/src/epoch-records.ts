import { type Codec, describeDecodeError } from "@quorate/codec";
import type { Epoch, EpochLink, OrderedReader, OrderedStore } from "@quorate/protocol";
import { EPOCHS_MAX, epochNumber, equalBytes, PreimageWriter, utf8 } from "@quorate/protocol";
import { describeChainFault, EpochChain, type LinkJudge } from "@quorate/reconfiguration";
import { RecoveryError } from "./disk-recovery.ts";
import type { RunnerOptions } from "./host-options.ts";

const PREFIX = utf8("host/epoch/");
const PAST_PREFIX = utf8("host/epoch0");
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
 * The epochs that a store knows, each proven again by those before it: from genesis on, or from the epoch that is trusted like it.
 *
 * @throws EpochDamage for a link that is not what was written; RecoveryError where it is not known how many there were;
 *   TrustedEpochError where the trusted epoch is none of this cluster.
 */
export function readEpochs(
  local: OrderedReader,
  { genesis, trusted, codec, ...judge }: LinkJudge & Pick<RunnerOptions, "genesis" | "trusted" | "codec">,
): EpochChain {
  const chain = new EpochChain(judge, genesis, { from: trusted });
  const { epoch: begun } = chain;
  // What was noted up to a trusted epoch may end anywhere below it: the links of its document stand in its place.
  const records = [...local.range(trusted === undefined ? PREFIX : keyOf(begun + 1), PAST_PREFIX)];
  checkKeys(records, begun);
  const last = epochNumber(begun + records.length);
  for (const [, value] of records) {
    const decoded = codec.decodeEpochLink(value);
    if (!decoded.ok) throw new EpochDamage(`it does not decode: ${describeDecodeError(decoded.error)}`, chain, last);
    const verdict = chain.add(decoded.value);
    if (verdict === "added") continue;
    throw new EpochDamage(describeChainFault({ fault: verdict, epoch: chain.epoch + 1 }), chain, last);
  }
  return chain;
}

/**
 * That each epoch has its record, up to the last: how far this replica has come, no link proves that is damaged itself. A number that
 * it never came to would be waited for without an end, and one that has vanished would be forgotten.
 */
function checkKeys(records: readonly (readonly [Uint8Array, Uint8Array])[], begun: Epoch): void {
  const isWhole = records.every(([key], place) => equalBytes(key, keyOf(begun + place + 1)));
  if (isWhole && records.length <= EPOCHS_MAX - begun) return;
  throw new RecoveryError(
    `the ${records.length} links of the epoch chain on this disk are not those of the epochs from ${begun + 1} on, at most ${EPOCHS_MAX}: which one this replica has spoken in is lost; make its store anew with \`quorate init --lost-disk\``,
  );
}

/** In the order of the epochs. */
function keyOf(epoch: Epoch | number): Uint8Array {
  return new PreimageWriter(KEY_BYTES).raw(PREFIX).u64(epoch).finish();
}
