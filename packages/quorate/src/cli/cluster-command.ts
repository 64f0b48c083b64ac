import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { ConfigurationError } from "@quorate/server";
import { type Command, Option } from "commander";
import { integer, port } from "./arguments.ts";
import { EXIT } from "./exit-codes.ts";
import { type LocalCluster, openOrMakeLocalCluster } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { QUIET_START, type StartMessage } from "./start-command.ts";
import { printLine } from "./terminal.ts";

/** Where a local cluster lives unless told otherwise. */
export const DEFAULT_DATA = ".quorate";

interface ClusterFlags {
  readonly data: string;
  readonly portBase?: number;
  readonly replicas?: number;
  readonly logLevel: LogLevel;
}

/** `quorate cluster`, which is what `npm start` runs: a whole cluster on this machine, one process a replica. */
export function addClusterCommand(program: Command): void {
  program
    .command("cluster")
    .description("run a whole cluster on this machine for development, one process a replica (this is `npm start`)")
    .option("--data <dir>", "its folder; made at the first start", DEFAULT_DATA)
    .option("--port-base <port>", "the first replica's port; the others follow (7000 for a new cluster)", port)
    .option("--replicas <n>", "how many replicas a new cluster gets (4)", integer)
    .addOption(new Option("--log-level <level>", "of the replicas").choices(LOG_LEVELS).default("warn"))
    .addHelpText("after", "\nExample:\n  npm start -- --data .quorate-b --port-base 7100 --replicas 7")
    .action(async ({ logLevel, ...options }: ClusterFlags) => {
      const cluster = await openOrMakeLocalCluster({ ...options, path: options.data });
      process.exitCode = await runCluster(cluster, logLevel);
    });
}

interface Child {
  readonly id: number;
  readonly process: ChildProcess;
  /** What it said first: that it is ready, or why it cannot start. */
  readonly started: Promise<StartMessage>;
  readonly exited: Promise<void>;
}

async function runCluster(cluster: LocalCluster, logLevel: LogLevel): Promise<number> {
  let isStopping = false;
  let isStarting = true;
  const children = cluster.replicas.map(({ id, path }) =>
    startChild(id, path, logLevel, (how) => {
      if (isStopping || isStarting) return;
      process.stderr.write(
        `quorate: replica ${id} ended with ${how}; \`npx quorate start --data ${path}\` starts it again\n`,
      );
    }),
  );
  const stop = (): void => {
    isStopping = true;
    for (const child of children) child.process.kill("SIGTERM");
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  const starts = await Promise.all(children.map(({ started }) => started));
  isStarting = false;
  const failures = starts.flatMap((start, id) => (start.type === "failed" ? [`replica ${id}: ${start.message}`] : []));
  const everyExit = Promise.all(children.map(({ exited }) => exited));
  const [failure] = failures;
  if (failure !== undefined && !isStopping) {
    stop();
    await everyExit;
    const others = failures.length === 1 ? "" : ` (and ${failures.length - 1} more cannot start)`;
    throw new ConfigurationError("configuration.inconsistent", `${failure}${others}`);
  }
  if (!isStopping) printUsage(cluster);
  await everyExit;
  if (!isStopping) {
    process.stderr.write("quorate: every replica has ended\n");
    return EXIT.failed;
  }
  printLine(`cluster stopped; \`${startCommandOf(cluster)}\` goes on with its data`);
  return EXIT.ok;
}

function startChild(id: number, path: string, logLevel: LogLevel, onExit: (how: string) => void): Child {
  const command = fileURLToPath(new URL("../../bin/quorate.js", import.meta.url));
  const child = fork(command, ["start", "--data", path, "--log-level", logLevel], {
    stdio: ["ignore", 1, 2, "ipc"],
    env: { ...process.env, [QUIET_START]: "1" },
  });
  const exited = new Promise<void>((resolve) => {
    child.once("exit", (code, signal) => {
      onExit(code === null ? `signal ${signal}` : `exit code ${code}`);
      resolve();
    });
  });
  const started = new Promise<StartMessage>((resolve) => {
    child.once("message", (message) => resolve(message as StartMessage));
    child.once("exit", () => resolve({ type: "failed", message: "it ended before it was ready" }));
  });
  return { id, process: child, started, exited };
}

/** What starts this cluster again. */
function startCommandOf({ path }: LocalCluster): string {
  return path === DEFAULT_DATA ? "npm start" : `npm start -- --data ${path}`;
}

function printUsage(cluster: LocalCluster): void {
  const { path, replicas } = cluster;
  const data = path === DEFAULT_DATA ? "" : ` --data ${path}`;
  const addresses = replicas.map(({ id, address }) => `  replica ${id}  ${address}`);
  printLine(
    [
      "",
      `Quorate: ${replicas.length} replicas with the key-value service are ready (data in ${path}).`,
      ...addresses,
      "",
      "In another terminal, in this folder:",
      `  npx quorate kv put greeting hello${data}`,
      `  npx quorate kv get greeting${data}`,
      `  npx quorate status${data}`,
      "",
      `Ctrl-C stops the cluster; \`${startCommandOf(cluster)}\` goes on with its data.`,
    ].join("\n"),
  );
}
