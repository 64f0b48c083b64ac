import { assertNever, bytesToHex, type ReconfigurationRequest, type Request } from "@quorate/protocol";
import type { ReplicaName } from "@quorate/server";
import { digestOf, type MergedEntry } from "./merge-logs.ts";

/** Enough of a digest to tell two apart. */
const SHORT_DIGEST_LENGTH = 16;

/** One entry, for programs. */
export interface LogEntryJson {
  readonly type: "entry";
  readonly seq: number;
  /** `prepared`: it is in the write-ahead log only, and nothing proves here that it was decided. */
  readonly state: "committed" | "prepared";
  readonly view: number;
  readonly digest: string;
  /** The clock of the primary that proposed it, which a quorum took; 0 in a null batch. */
  readonly timestampMs: number;
  readonly requests: readonly object[];
  /** Of the certificate that was verified. */
  readonly signedBy: readonly number[];
  readonly heldBy: readonly ReplicaName[];
}

export function jsonOf({ logged, heldBy }: MergedEntry): LogEntryJson {
  const { view, signedBy, batch } = partsOf(logged);
  return {
    type: "entry",
    seq: logged.seq,
    state: logged.type,
    view,
    digest: digestOf(logged),
    timestampMs: batch.timestampMs,
    requests: batch.requests.map(requestJson),
    signedBy,
    heldBy,
  };
}

/** The columns of the text, but for the last one as wide as what is expected in them. */
export class LogColumns {
  readonly #widths: readonly number[];

  /** @param replicas how many logs are read; with one of them nobody needs to be told who holds it. */
  constructor(replicas: number) {
    const heldBy = replicas === 1 ? [] : [Math.max("HELD BY".length, 2 * replicas) + 2];
    this.#widths = [9, 6, SHORT_DIGEST_LENGTH + 2, 26, 10, 12, ...heldBy];
  }

  get head(): string {
    const heldBy = this.#widths.length > 6 ? ["HELD BY"] : [];
    return this.#row(["NUMBER", "VIEW", "BATCH", "TIME", "REQUESTS", "OPERATIONS", ...heldBy, "CERTIFICATE"]);
  }

  line({ logged, heldBy }: MergedEntry): string {
    const { view, signedBy, batch } = partsOf(logged);
    const operations = batch.requests.map((request) => (request.type === "operations" ? request.operations.length : 0));
    return this.#row([
      `${logged.seq}`,
      `${view}`,
      digestOf(logged).slice(0, SHORT_DIGEST_LENGTH),
      batch.requests.length === 0 ? "null batch" : timeText(batch.timestampMs),
      `${batch.requests.length}`,
      `${operations.reduce((sum, count) => sum + count, 0)}`,
      ...(this.#widths.length > 6 ? [heldBy.join(",")] : []),
      `${logged.type === "committed" ? "commit" : "prepared only"} ${signedBy.join(",")}`,
    ]);
  }

  #row(cells: readonly string[]): string {
    return cells.map((cell, i) => cell.padEnd(this.#widths[i] ?? 0)).join("");
  }
}

interface Parts {
  readonly view: number;
  readonly signedBy: readonly number[];
  readonly batch: { readonly timestampMs: number; readonly requests: readonly Request[] };
}

function partsOf(logged: MergedEntry["logged"]): Parts {
  if (logged.type === "committed") {
    const { certificate, batch } = logged.entry;
    return { view: certificate.view, signedBy: certificate.signatures.map(({ from }) => from), batch: batch.batch };
  }
  const { prePrepare, prepares } = logged.certificate;
  const signedBy = [prePrepare, ...prepares].map(({ from }) => from).sort((a, b) => a - b);
  return { view: prePrepare.message.view, signedBy, batch: logged.batch.batch };
}

function requestJson(request: Request): object {
  const { type, client } = request;
  switch (request.type) {
    case "registration":
      return { type, client, nonce: request.nonce, lastValid: request.lastValid };
    case "checkpoint":
      return { type, client, epoch: request.epoch, above: request.above };
    case "reconfiguration":
      return reconfigurationJson(request);
    case "operations": {
      const { session, number, operations } = request;
      return { type, client, session, number, operations: operations.map((operation) => bytesToHex(operation)) };
    }
    default:
      return assertNever(request);
  }
}

/** With who approved, and without signatures, as other requests are shown. */
function reconfigurationJson({ type, client, epoch, nonce, change, approvals }: ReconfigurationRequest): object {
  return { type, client, epoch, nonce, change, approvals: approvals.map(({ key }) => key) };
}

/** A time that a date cannot hold is shown as it is. */
function timeText(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms} ms` : date.toISOString();
}
