import { describeDecodeError } from "@quorate/codec";
import { accusedOf, type Hasher, type OrderedReader } from "@quorate/protocol";
import type { Judges } from "../data-reader.ts";
import { piecesIn } from "../evidence-shelf.ts";
import { counted, type Looked, type Report } from "./data-check.ts";

/** Every piece is what was kept, and convicts whom it is kept against (protocol rule 13.2). */
export function checkEvidence(
  local: OrderedReader,
  { codec, judge }: Judges,
  hasher: Hasher,
  report: Report,
): Looked<undefined> {
  let pieces = 0;
  for (const { id, accused, value } of piecesIn(local)) {
    pieces += 1;
    const decoded = codec.decodeEvidence(value);
    if (hasher.digest(value) !== id) report(`piece ${id}: its digest differs`);
    else if (!decoded.ok) report(`piece ${id}: it does not decode: ${describeDecodeError(decoded.error)}`);
    else if (accusedOf(decoded.value) !== accused) report(`piece ${id}: it is kept against replica ${accused}`);
    else if (!judge.verifyEvidence(decoded.value)) report(`piece ${id}: it proves nothing`);
  }
  return { found: counted(pieces, "piece"), value: undefined };
}
