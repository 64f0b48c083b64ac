import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server } from "node:http";
import { epochNumber } from "@quorate/protocol";
import { parseAddress, TransportError } from "@quorate/transport";
import { isFromOperator } from "./admin-command.ts";
import type { RunningBackup } from "./backup/state-backup.ts";
import { type BackupFault, streamBackup } from "./backup/stream-backup.ts";
import { EXPOSITION_CONTENT_TYPE } from "./exposition.ts";
import type { LogPageRequest } from "./log-page.ts";
import type { HandOverAnswer } from "./ports.ts";
import type { Readiness } from "./readiness.ts";

/** What the endpoint tells. */
export interface AdminSource {
  status(): object;
  /** What is compared with the other replicas; costs what the state has changed since the last checkpoint. */
  audit(): object;
  /** The replica has not come to its end. */
  isHealthy(): boolean;
  readiness(): Readiness;
  /** In the format of `exposition`. */
  metrics(): string;
  /** The evidence that is kept, without its bodies. */
  evidence(): object;
  /** One piece of it; undefined for an id that is not among them. */
  evidenceDocument(id: string): object | undefined;
  /** A page of the ordered log that begins at or behind `request.from`. */
  log(request: LogPageRequest): object;
  /** The state at the last stable checkpoint, as a backup; undefined when there is none to be had, or another is being made. */
  backup(): RunningBackup | undefined;
  /** One that was being read has come to an end before its time. */
  onBackupCutShort(fault: BackupFault): void;
  /** The operator wants another primary. */
  handOver(): HandOverAnswer;
}

interface Answer {
  readonly code: number;
  readonly contentType: string;
  readonly body: string;
}

/** One piece of evidence by its id. */
const EVIDENCE_PATH = /^\/evidence\/([0-9a-f]{64})$/;
/** A page of the log; an end that is left out means all there is on that side. `above`: the last epoch that is known to whoever asks. */
const LOG_PATH = /^\/log(?:\?from=(\d{1,16})(?:&to=(\d{1,16}))?(?:&above=(\d{1,15}))?)?$/;
/** The state, for a backup. */
const BACKUP_PATH = "/backup";
const NO_BACKUP = "there is no stable checkpoint here yet, its state is brought here, or another backup is being made";
const PATHS =
  "GET /status, /audit, /metrics, /healthz, /readyz, /evidence, /evidence/ID and /log?from=N&to=N&above=EPOCH, and POST /hand-over and /backup";

/**
 * Answers the paths above. It is not authenticated, and by default only this machine reaches it. All it does but read is
 * to ask for another primary, which harms nobody, and which no page in a browser on this machine can make it do; nor can
 * one make it read the state for a backup.
 */
export class AdminEndpoint {
  readonly #source: AdminSource;
  readonly #server: Server;
  #backupFault: BackupFault | undefined;
  /** The host that it was told to listen on. */
  #host = "";
  #isClosing = false;

  constructor(source: AdminSource) {
    this.#source = source;
    this.#server = createServer({ requestTimeout: 5_000, headersTimeout: 5_000 }, (request, response) => {
      const backup = this.#asksForBackup(request) ? this.#source.backup() : undefined;
      if (backup !== undefined) return void streamBackup(backup, response, (fault) => this.#onBackupEnd(fault));
      const { code, contentType, body } = this.#answer(request);
      response.writeHead(code, { "Content-Type": contentType, Connection: "close" });
      response.end(body);
    });
    this.#server.maxConnections = 32;
  }

  /** @throws TransportError `listen.*` (the promise rejects). */
  open(address: string): Promise<void> {
    const { host, port } = parseAddress(address);
    this.#host = host;
    return new Promise((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        const isTaken = error.code === "EADDRINUSE";
        const what = isTaken ? "another process uses that port; choose another admin address" : error.message;
        const code = isTaken ? "listen.address-in-use" : "listen.failed";
        reject(new TransportError(code, `cannot answer status on ${address}: ${what}`));
      });
      this.#server.listen(port, host, () => {
        this.#server.on("error", () => undefined);
        resolve();
      });
    });
  }

  /** Why the last backup was cut short; undefined once one has been given whole since. */
  get backupFault(): BackupFault | undefined {
    return this.#backupFault;
  }

  close(): Promise<void> {
    this.#isClosing = true;
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  /** Whoever reads when this closes is cut off by it, and has not gone. */
  #onBackupEnd(fault: BackupFault | undefined): void {
    this.#backupFault = fault && this.#isClosing ? { ...fault, reason: "the replica stops" } : fault;
    if (this.#backupFault !== undefined) this.#source.onBackupCutShort(this.#backupFault);
  }

  #answer({ method, url = "/", headers }: IncomingMessage): Answer {
    try {
      const answer = method === "POST" ? this.#command(url, headers) : this.#route(method === "GET" ? url : "");
      return answer ?? json(404, { error: `only ${PATHS} are answered here` });
    } catch (error) {
      // Whoever asks must not be able to end the replica, whatever its disk says about what was asked for.
      return json(500, { error: error instanceof Error ? error.message : String(error) });
    }
  }

  #asksForBackup({ method, url, headers }: IncomingMessage): boolean {
    return method === "POST" && url === BACKUP_PATH && isFromOperator(headers, this.#host);
  }

  #command(path: string, headers: IncomingHttpHeaders): Answer | undefined {
    if (path !== "/hand-over" && path !== BACKUP_PATH) return undefined;
    if (!isFromOperator(headers, this.#host))
      return json(403, {
        error: "commands come from the command line only: `quorate primary rotate`, `quorate backup`",
      });
    if (path === BACKUP_PATH) return json(409, { error: NO_BACKUP });
    const answer = this.#source.handOver();
    return json(answer.isAsked ? 202 : 409, answer);
  }

  #route(path: string): Answer | undefined {
    switch (path) {
      case "/status":
        return json(200, this.#source.status());
      case "/audit":
        return json(200, this.#source.audit());
      case "/metrics":
        return { code: 200, contentType: EXPOSITION_CONTENT_TYPE, body: this.#source.metrics() };
      case "/healthz": {
        // That there is an answer at all says that the event loop turns.
        const isHealthy = this.#source.isHealthy();
        return json(isHealthy ? 200 : 503, { isHealthy });
      }
      case "/readyz": {
        const readiness = this.#source.readiness();
        return json(readiness.isReady ? 200 : 503, readiness);
      }
      case "/evidence":
        return json(200, this.#source.evidence());
      default:
        return this.#evidenceDocument(path) ?? this.#log(path);
    }
  }

  #evidenceDocument(path: string): Answer | undefined {
    const [, id] = EVIDENCE_PATH.exec(path) ?? [];
    const document = id === undefined ? undefined : this.#source.evidenceDocument(id);
    return document && json(200, document);
  }

  #log(path: string): Answer | undefined {
    const match = LOG_PATH.exec(path);
    if (match === null) return undefined;
    const [, from = "0", to = Number.MAX_SAFE_INTEGER, above = "0"] = match;
    const request = { from: Number(from), to: Number(to), above: epochNumber(Number(above)) };
    return json(200, this.#source.log(request));
  }
}

function json(code: number, value: object): Answer {
  return { code, contentType: "application/json", body: `${JSON.stringify(value)}\n` };
}
