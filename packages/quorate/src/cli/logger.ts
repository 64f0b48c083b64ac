import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * Logs go to standard error: fields for programs, pretty lines on a terminal. Nothing per message at info.
 *
 * @param bindings what each line says beside its own fields, as it is at that moment.
 */
export function createLogger(level: LogLevel, bindings: () => object): Logger {
  const stream = process.stderr.isTTY
    ? pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" })
    : pino.destination({ dest: 2, sync: true });
  return pino({ level, base: { pid: process.pid }, mixin: bindings }, stream);
}
