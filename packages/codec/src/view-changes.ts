/** VIEW-CHANGE and NEW-VIEW with what proves them, on the wire. */
import {
  type Envelope,
  isCheckpointOf,
  isProof,
  type JustifiedNewView,
  type JustifiedViewChange,
  type NewView,
  type PreparedCertificate,
  type ViewChange,
} from "@quorate/protocol";
import {
  readCheckpointCertificate,
  readPreparedCertificate,
  writeCheckpointCertificate,
  writePreparedCertificate,
} from "./certificates.ts";
import { readEnvelope, writeEnvelope } from "./messages.ts";
import type { Tuple } from "./tuple.ts";
import { expectAscending } from "./view-change-messages.ts";
import type { Writer } from "./writer.ts";

export function writeViewChange(writer: Writer, viewChange: JustifiedViewChange): void {
  writer.array(3);
  writeEnvelope(writer, viewChange.envelope);
  writeCheckpointCertificate(writer, viewChange.checkpoint);
  writeCertificates(writer, viewChange.certificates);
}

/** Every claim has its certificate in its place: one that does not fit cannot have been sent by a correct replica. */
export function readViewChange(tuple: Tuple): JustifiedViewChange {
  tuple.shape(3);
  const envelope = readEnvelope(tuple.tuple(0, "envelope"), ["view-change"]);
  const { stable, prepared } = envelope.message;
  const checkpoint = readCheckpointCertificate(tuple.tuple(1, "checkpoint"));
  if (!isCheckpointOf(stable, checkpoint))
    tuple.fault("inconsistent", "checkpoint", `a certificate of the stable checkpoint ${stable.seq}`, "another");
  const certificates = readCertificates(tuple, 2);
  expectLength(tuple, "certificates", prepared.length, certificates.length);
  const misplaced = prepared.findIndex((claim, i) => !isProof(claim, certificates[i]));
  if (misplaced >= 0)
    tuple.fault("inconsistent", "certificates", `a certificate of claim ${misplaced} in its place`, "another");
  return { envelope, checkpoint, certificates };
}

export function writeNewView(writer: Writer, newView: JustifiedNewView): void {
  writer.array(5);
  writeEnvelope(writer, newView.envelope);
  writeEnvelopes(writer, newView.viewChanges);
  writeCheckpointCertificate(writer, newView.checkpoint);
  writeCertificates(writer, newView.certificates);
  writer.array(newView.prePrepareSignatures.length);
  for (const signature of newView.prePrepareSignatures) writer.signature(signature);
}

/** What follows from the VIEW-CHANGEs is judged later, see `newViewFault`. */
export function readNewView(tuple: Tuple): JustifiedNewView {
  tuple.shape(5);
  const envelope = readEnvelope(tuple.tuple(0, "envelope"), ["new-view"]);
  const viewChanges = readReferred(tuple, 1, envelope.message);
  const checkpoint = readCheckpointCertificate(tuple.tuple(2, "checkpoint"));
  const certificates = readCertificates(tuple, 3);
  expectAscending(
    tuple,
    "certificates",
    certificates.map(({ prePrepare }) => prePrepare.message.seq),
  );
  const { digests } = envelope.message;
  const list = tuple.bounded(4, "prePrepareSignatures", 0, tuple.decoding.limits.windowSizeMax);
  const prePrepareSignatures: Uint8Array[] = [];
  for (let i = 0; i < list.length && tuple.decoding.error === undefined; i++)
    prePrepareSignatures.push(list.signature(i, i));
  expectLength(tuple, "prePrepareSignatures", digests.length, prePrepareSignatures.length);
  return { envelope, viewChanges, checkpoint, certificates, prePrepareSignatures };
}

export function writeEnvelopes(writer: Writer, envelopes: readonly Envelope[]): void {
  writer.array(envelopes.length);
  for (const envelope of envelopes) writeEnvelope(writer, envelope);
}
/** The VIEW-CHANGEs that a NEW-VIEW refers to, in the order of its references. */
export function readReferred(
  tuple: Tuple,
  index: number,
  { viewChanges: references }: NewView,
): Envelope<ViewChange>[] {
  const { membersMax } = tuple.decoding.limits;
  const viewChanges = tuple.list(index, "viewChanges", membersMax, (each) => readEnvelope(each, ["view-change"]));
  expectLength(tuple, "viewChanges", references.length, viewChanges.length);
  const misplaced = references.findIndex(({ from }, i) => viewChanges[i]?.from !== from);
  if (misplaced >= 0)
    tuple.fault("inconsistent", "viewChanges", `the senders that the NEW-VIEW refers to`, `another at ${misplaced}`);
  return viewChanges;
}

function writeCertificates(writer: Writer, certificates: readonly PreparedCertificate[]): void {
  writer.array(certificates.length);
  for (const certificate of certificates) writePreparedCertificate(writer, certificate);
}
function readCertificates(tuple: Tuple, index: number): PreparedCertificate[] {
  return tuple.list(index, "certificates", tuple.decoding.limits.windowSizeMax, readPreparedCertificate);
}

function expectLength(tuple: Tuple, field: string, expected: number, found: number): void {
  if (found !== expected) tuple.fault("inconsistent", field, `${expected} elements`, `${found}`);
}
