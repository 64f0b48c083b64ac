import { setFlagsFromString } from "node:v8";
import type { SignatureBackend } from "@quorate/crypto";
import type { Hasher } from "@quorate/protocol";
import { type ReplicaFolder, type ReplicaName, type RunningReplica, startReplica } from "@quorate/server";
import type { Service } from "@quorate/state-machine";
import { EXIT } from "./exit-codes.ts";
import { createLogger, type LogLevel } from "./logger.ts";

/** A replica that is to run in this process. */
export interface ReplicaRun {
  readonly folder: ReplicaFolder;
  /** Who it is as it starts. */
  readonly name: ReplicaName;
  readonly service: Service;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly logLevel: LogLevel;
  readonly pipeline?: number | undefined;
  /** It runs. */
  onStarted(replica: RunningReplica): void;
  /** It is to stop, or has ended by itself. */
  onEnding?(): void;
}

/** How much a function runs before V8 optimizes it; a quarter of its default. */
const INTERRUPT_BUDGET_FLAG = "--interrupt-budget=16000";

/**
 * Runs a replica until it is told to stop.
 *
 * @returns the exit code of the process.
 * @throws what `startReplica` throws.
 */
export async function runReplica(run: ReplicaRun): Promise<number> {
  // A replica runs the same few paths for months, at some hundred calls a second when it has little to do: waiting for the
  // usual count keeps them slow for minutes.
  setFlagsFromString(INTERRUPT_BUDGET_FLAG);
  const { folder, name, service, backend, hasher, logLevel, pipeline } = run;
  let replica: RunningReplica | undefined;
  const nameNow = (): ReplicaName => replica?.name ?? name;
  const log = createLogger(logLevel, () => ({ replica: nameNow() }));
  let end: (exitCode: number) => void = () => undefined;
  const ended = new Promise<number>((resolve) => {
    end = resolve;
  });
  const onFatal = (error: Error): void => {
    process.stderr.write(
      `quorate: ${nameNow() === "observer" ? "the observer" : `replica ${nameNow()}`} stops: ${error.message}\n`,
    );
    end(EXIT.failed);
  };
  // Before the start, so that a signal at any time ends the replica cleanly.
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => end(EXIT.ok));
  // A replica that was started by `quorate cluster` does not outlive it.
  process.on("disconnect", () => end(EXIT.ok));
  replica = await startReplica({
    folder,
    service,
    backend,
    hasher,
    log,
    onFatal,
    ...(pipeline !== undefined && { settings: { pipelineDepthMax: pipeline } }),
  });
  run.onStarted(replica);
  const exitCode = await ended;
  run.onEnding?.();
  await replica.stop();
  log.info({ exitCode }, "replica stopped");
  return exitCode;
}
