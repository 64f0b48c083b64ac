import { closeSync, constants, fdatasyncSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { chooseBackend } from "@quorate/crypto/node";

/** Of many times one step took, in microseconds. */
export interface Steps {
  readonly p50: number;
  readonly p95: number;
}

/**
 * What the machine did by itself, before or after a benchmark, while nothing of the benchmark ran: two steps that a
 * replica does many times for an operation, one of the processor and one of the disk. What they took more than in another
 * report, the figures beside them owe to the machine.
 */
export interface Calibration {
  /** One verification of an ed25519 signature by the back end that the replicas choose. */
  readonly verificationUs: Steps;
  /** One write of 600 bytes to the disk of the cluster that is durable when it returns, as of a promise. */
  readonly syncedWriteUs: Steps;
  /** Of the last minute. */
  readonly loadAverage: number;
}

/** Bytes of the preimage of a PREPARE. */
const MESSAGE_SIZE = 109;
/** About what a pre-prepare of one small request takes in the log. */
const WRITE_SIZE = 600;
const VERIFICATIONS = 2_000;
const WRITES = 200;
/** Of each step; what runs first runs cold. */
const WARM_UP_SHARE = 0.2;
/** As the log does where there is such a flag: one system call instead of two. */
const SYNC_FLAG: number = process.platform === "linux" ? constants.O_DSYNC : 0;

/** Measures for about half a second and leaves nothing. `data` is the parent of the cluster's folder. */
export async function calibrate(data: string | undefined): Promise<Calibration> {
  const loadAverage = rounded(loadavg()[0] ?? 0);
  return { verificationUs: await verifications(), syncedWriteUs: syncedWrites(data ?? tmpdir()), loadAverage };
}

async function verifications(): Promise<Steps> {
  const backend = await chooseBackend();
  const seed = Uint8Array.from({ length: 32 }, (_, i) => i);
  const publicKey = backend.publicKeyOf(seed);
  const message = new Uint8Array(MESSAGE_SIZE).fill(7);
  const signature = backend.sign(seed, message);
  return stepsOf(VERIFICATIONS, () => backend.verify(publicKey, message, signature));
}

/** Over space that has been written before, as in the log: a write that makes a file longer costs its file system more. */
function syncedWrites(parent: string): Steps {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, "quorate-calibration-"));
  try {
    const descriptor = openSync(join(folder, "writes"), constants.O_RDWR | constants.O_CREAT | SYNC_FLAG);
    try {
      const bytes = new Uint8Array(WRITE_SIZE).fill(5);
      writeSync(descriptor, new Uint8Array(WRITE_SIZE * WRITES), 0, WRITE_SIZE * WRITES, 0);
      return stepsOf(WRITES, (i) => {
        writeSync(descriptor, bytes, 0, WRITE_SIZE, i * WRITE_SIZE);
        if (SYNC_FLAG === 0) fdatasyncSync(descriptor);
      });
    } finally {
      closeSync(descriptor);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function stepsOf(count: number, step: (i: number) => unknown): Steps {
  const times: number[] = [];
  for (let i = 0; i < count; i++) {
    const beganMs = performance.now();
    step(i);
    if (i >= count * WARM_UP_SHARE) times.push((performance.now() - beganMs) * 1000);
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => rounded(times[Math.floor(times.length * share)] ?? 0);
  return { p50: at(0.5), p95: at(0.95) };
}

function rounded(value: number): number {
  return Number(value.toFixed(1));
}
