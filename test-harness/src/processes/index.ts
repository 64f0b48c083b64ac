/** Clusters of real processes, for tests of what no simulator can show. */
export * from "./free-ports.ts";
export * from "./process-cluster.ts";
export * from "./running-command.ts";
