import { type ChildProcess, fork } from "node:child_process";
import { isAbsolute, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { ConfigurationError } from "@quorate/server";
import { type Command, Option } from "commander";
import { integer, path, port } from "./arguments.ts";
import { foldersToRun } from "./cluster-folders.ts";
import { type ClusterService, serviceOf } from "./cluster-service.ts";
import { EXIT } from "./exit-codes.ts";
import { loadService } from "./load-service.ts";
import { type LocalCluster, openOrMakeLocalCluster, runningReplicas } from "./local-cluster.ts";
import { LOG_LEVELS, type LogLevel } from "./logger.ts";
import { QUIET_START, SERVICE_FLAG, type StartMessage } from "./start-command.ts";
import { printComplaint, printJson, printLine, shellWord } from "./terminal.ts";

/** Where a local cluster lives unless told otherwise. */
export const DEFAULT_DATA = ".quorate";

interface ClusterFlags {
  readonly data: string;
  readonly portBase?: number;
  readonly replicas?: number;
  readonly rotateEvery?: number;
  readonly service?: string;
  readonly logLevel: LogLevel;
  readonly json?: true;
}

/** A local cluster and how it is to run. */
interface ClusterRun {
  readonly cluster: LocalCluster;
  readonly service: ClusterService;
  /** What `--service` says. */
  readonly given: string | undefined;
  readonly logLevel: LogLevel;
  readonly json: boolean;
}

/** `quorate cluster`, which is what `npm start` runs: a whole cluster on this machine, one process a replica. */
export function addClusterCommand(program: Command): void {
  program
    .command("cluster")
    .description("run a whole cluster on this machine for development, one process a replica (this is `npm start`)")
    .option("--data <dir>", "its folder; made at the first start", path, DEFAULT_DATA)
    .option("--port-base <port>", "the first replica's port; the others follow (7000 for a new cluster)", port)
    .option("--replicas <n>", "how many replicas a new cluster gets (4)", integer)
    .option("--rotate-every <k>", "batches until the next replica becomes primary, in a new cluster (never)", integer)
    .option("--service <file>", SERVICE_FLAG, path)
    .addOption(new Option("--log-level <level>", "of the replicas").choices(LOG_LEVELS).default("warn"))
    .option("--json", "print JSON, once the cluster is ready")
    .addHelpText(
      "after",
      "\nExample:\n  npm start -- --data .quorate-b --port-base 7100 --replicas 7\n  npm start -- --data .counter --service ./counter.mjs",
    )
    .action(async ({ logLevel, service, json, ...options }: ClusterFlags) => {
      const stop = new AbortController();
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => stop.abort());
      // Before anything is made: what does not load would stop every replica.
      if (service !== undefined) await loadService(service);
      const cluster = await openOrMakeLocalCluster(
        { ...options, path: options.data, ...(service !== undefined && { service }) },
        stop.signal,
      );
      if (cluster !== undefined) refuseRunning(cluster);
      if (cluster === undefined || stop.signal.aborted) {
        process.stderr.write("quorate: stopped before the cluster ran\n");
        process.exitCode = EXIT.ok;
      } else {
        const { replicas, missing } = await foldersToRun(cluster);
        const there = { ...cluster, replicas };
        const run = {
          cluster: there,
          service: serviceOf(there, service),
          given: service,
          logLevel,
          json: json === true,
        };
        for (const line of missing) printComplaint(line);
        process.exitCode = await runCluster(run, stop.signal);
      }
    });
}

/** Each replica would say by itself that its folder is in use; nobody would know then that all is well. */
function refuseRunning(cluster: LocalCluster): void {
  const running = runningReplicas(cluster);
  if (running.length === 0) return;
  const data = cluster.path === DEFAULT_DATA ? "" : ` --data ${shellWord(cluster.path)}`;
  const who = running.map(({ id, pid }) => `replica ${id} as process ${pid}`).join(", ");
  const advice = `ask it with \`npx quorate status${data}\`, stop it before you start it again, or run another one beside it: \`npm start -- --data DIR --port-base N\``;
  throw new ConfigurationError(
    "configuration.running",
    `the cluster in ${cluster.path} runs already (${who}); ${advice}`,
  );
}

interface Child {
  readonly id: number;
  readonly process: ChildProcess;
  /** What it said first: that it is ready, or why it cannot start. */
  readonly started: Promise<StartMessage>;
  readonly exited: Promise<void>;
}

async function runCluster(run: ClusterRun, stop: AbortSignal): Promise<number> {
  const { cluster, json } = run;
  let isStarting = true;
  const children = cluster.replicas.map(({ id, path }) =>
    startChild(id, ["start", "--data", path, ...givenService(run), "--log-level", run.logLevel], (how) => {
      if (stop.aborted || isStarting) return;
      process.stderr.write(
        `quorate: replica ${id} ended with ${how}; \`npx quorate ${shellLine(["start", "--data", path, ...neededService(run)])}\` starts it again\n`,
      );
    }),
  );
  const end = (): void => {
    for (const child of children) child.process.kill("SIGTERM");
  };
  stop.addEventListener("abort", end);
  const starts = await Promise.all(children.map(({ started }) => started));
  const failures = starts.flatMap((start, i) =>
    start.type === "failed" ? [`replica ${children[i]?.id}: ${start.message}`] : [],
  );
  const everyExit = Promise.all(children.map(({ exited }) => exited));
  const [failure] = failures;
  if (failure !== undefined && !stop.aborted) {
    end();
    await everyExit;
    const others = failures.length === 1 ? "" : ` (and ${failures.length - 1} more cannot start)`;
    throw new ConfigurationError("configuration.inconsistent", `${failure}${others}`);
  }
  // Not before: those that are ended because one cannot start have nothing to say.
  isStarting = false;
  if (!stop.aborted) printReady(run);
  await everyExit;
  if (!stop.aborted) {
    process.stderr.write("quorate: every replica has ended\n");
    return EXIT.failed;
  }
  if (!json) printLine(`cluster stopped; \`${startCommandOf(run)}\` goes on with its data`);
  return EXIT.ok;
}

/** What was said at the start of the cluster holds for each replica, whatever its folder says. */
function givenService({ given }: ClusterRun): string[] {
  return given === undefined ? [] : ["--service", given];
}

/** What a later start has to be told. */
function neededService(run: ClusterRun): string[] {
  return run.service.isRemembered ? [] : givenService(run);
}

function startChild(id: number, args: readonly string[], onExit: (how: string) => void): Child {
  const command = fileURLToPath(new URL("../../bin/quorate.js", import.meta.url));
  const child = fork(command, args, {
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
function startCommandOf(run: ClusterRun): string {
  const { path } = run.cluster;
  const flags = [...(path === DEFAULT_DATA ? [] : ["--data", path]), ...neededService(run)];
  return flags.length === 0 ? "npm start" : `npm start -- ${shellLine(flags)}`;
}

/** As a person in the working folder would write it. */
function shownPath(file: string): string {
  const inside = relative(process.cwd(), file);
  return inside.startsWith("..") || isAbsolute(inside) ? file : `./${inside}`;
}

function shellLine(words: readonly string[]): string {
  return words.map(shellWord).join(" ");
}

function printReady(run: ClusterRun): void {
  const { cluster, json } = run;
  const { path, genesisPath, replicas } = cluster;
  const service = run.service.module;
  const members = replicas.map(({ id, address, path: data }) => ({ replica: id, address, data }));
  if (json) return printJson({ data: path, genesis: genesisPath, service: service ?? null, replicas: members });
  const what = service === undefined ? "the key-value service" : `the service ${shownPath(service)}`;
  printLine(
    [
      "",
      `Quorate: ${replicas.length} replicas with ${what} are ready (data in ${path}).`,
      ...replicas.map(({ id, address }) => `  replica ${id}  ${address}`),
      "",
      ...nextSteps(run),
      "",
      `Ctrl-C stops the cluster; \`${startCommandOf(run)}\` goes on with its data.`,
    ].join("\n"),
  );
}

function nextSteps({ cluster, service }: ClusterRun): string[] {
  const { path, genesisPath } = cluster;
  const data = path === DEFAULT_DATA ? "" : ` --data ${shellWord(path)}`;
  const status = `  npx quorate status${data}`;
  if (service.module !== undefined)
    return [`Clients connect with the document ${genesisPath}. In another terminal, in this folder:`, status];
  return [
    "In another terminal, in this folder:",
    `  npx quorate kv put greeting hello${data}`,
    `  npx quorate kv get greeting${data}`,
    status,
  ];
}
