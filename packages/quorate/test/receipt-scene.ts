import { outputLeafOf, rootFromPath, type SignatureBackend } from "@quorate/crypto";
import {
  type Digest,
  digest,
  epochNumber,
  outputLeafPreimage,
  type Receipt,
  replicaId,
  requestNumber,
  type SessionId,
  type Statement,
  sequenceNumber,
  utf8,
  weakQuorumSize,
} from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";

const hex = (fill: string): Digest => digest(fill.repeat(64));

/** What f+1 members of the last epoch of a script sign together. */
export function receiptIn(script: ScriptedEpochs, aboveStart = 3): Receipt {
  const epoch = epochNumber(script.epoch);
  const members = script.membershipAt(epoch);
  const output = {
    session: hex("3") as string as SessionId,
    number: requestNumber(5),
    requestDigest: hex("4"),
    results: [{ status: "ok", value: utf8("paid") } as const],
    path: { index: 0, size: 1, siblings: [] },
  };
  const leaf = outputLeafPreimage(outputLeafOf(script.hasher, output));
  const outputsRoot = rootFromPath(script.hasher, leaf, output.path)!;
  const seq = sequenceNumber((members.start?.seq ?? 0) + aboveStart);
  const statement: Statement = { epoch, seq, historyDigest: hex("5"), outputsRoot };
  const signers = members.members.slice(0, weakQuorumSize(members));
  const signatures = signers.map(({ id }) => ({ from: id, signature: script.signerOf(id).signStatement(statement) }));
  return { ...output, statement, signatures };
}

/** A receipt of each epoch: between them all keys change, and members come and go. */
export function scene(backend?: SignatureBackend): { script: ScriptedEpochs; receipts: Receipt[] } {
  const script = new ScriptedEpochs(backend && { backend });
  const receipts = [receiptIn(script)];
  const next = (change: () => unknown): void => {
    change();
    receipts.push(receiptIn(script));
  };
  for (const id of [0, 1, 2, 3].map(replicaId)) next(() => script.rotateKey(id));
  next(() => script.join());
  next(() => script.leave(replicaId(0)));
  return { script, receipts };
}
