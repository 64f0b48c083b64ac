/** Clusters of real processes, for tests of what no simulator can show. */
export * from "./connect-through.ts";
export * from "./free-ports.ts";
export { type Loss, MessageLoss } from "./message-loss.ts";
export * from "./process-cluster.ts";
export * from "./proxied-links.ts";
export * from "./running-command.ts";
export * from "./tcp-proxy.ts";
