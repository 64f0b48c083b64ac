import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

/** The `quorate` command as a file that Node runs. */
export const QUORATE_COMMAND: string = fileURLToPath(new URL("../bin/quorate.js", import.meta.resolve("quorate")));

/** How a process ended. */
export interface Exit {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start a process. */
export interface CommandOptions {
  /** Of the working folder; the current one unless given. */
  readonly cwd?: string;
  /** A process group of its own, so that a signal can go to all of it, as from a terminal. */
  readonly ownGroup?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** A message over IPC: `quorate start` says whether it is ready; test programs say what they like. */
export type ChildMessage = { readonly type: string } & Readonly<Record<string, unknown>>;

/** The most of a process' output that is kept, in characters: the end of it tells why it ended. */
const OUTPUT_LENGTH_MAX = 1024 * 1024;

/** A process of the test, with its output and its end as events. */
export class RunningCommand {
  static readonly #running = new Set<RunningCommand>();
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #ownGroup: boolean;
  readonly #messages: ChildMessage[] = [];
  #stdout = "";
  #stderr = "";
  #onChange: (() => void)[] = [];
  #exit: Exit | undefined;

  constructor(command: string, args: readonly string[], options: CommandOptions = {}) {
    const { cwd, ownGroup = false, env = {} } = options;
    this.#ownGroup = ownGroup;
    this.#child = spawn(command, args, {
      ...(cwd !== undefined && { cwd }),
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      detached: ownGroup,
    });
    RunningCommand.#running.add(this);
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout = (this.#stdout + text).slice(-OUTPUT_LENGTH_MAX);
      this.#wake();
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-OUTPUT_LENGTH_MAX);
      this.#wake();
    });
    this.#child.on("message", (message) => {
      this.#messages.push(message as ChildMessage);
      this.#wake();
    });
    this.exited = new Promise((resolve, reject) => {
      this.#child.once("error", reject);
      this.#child.once("close", (code, signal) => {
        RunningCommand.#running.delete(this);
        this.#exit = { code, signal, stdout: this.#stdout, stderr: this.#stderr };
        resolve(this.#exit);
        this.#wake();
      });
    });
    // Whoever waits for it sees the failure; nobody has to.
    this.exited.catch(() => undefined);
  }

  /** Runs the `quorate` command to its end. */
  static quorate(args: readonly string[], options?: CommandOptions): Promise<Exit> {
    return new RunningCommand(process.execPath, [QUORATE_COMMAND, ...args], options).exited;
  }

  /** For `after` hooks: kills whatever a failed test left. */
  static async killAll(): Promise<void> {
    const all = [...RunningCommand.#running];
    for (const command of all) command.signal("SIGKILL");
    await Promise.all(all.map(({ exited }) => exited));
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }
  get isRunning(): boolean {
    return this.#exit === undefined;
  }
  get output(): string {
    return this.#stdout + this.#stderr;
  }

  /** To the process, or to its whole group when it has one of its own. A process that has ended gets nothing. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.pid === undefined || this.#exit !== undefined) return;
    try {
      process.kill(this.#ownGroup ? -this.#child.pid : this.#child.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }

  /** To the process alone, even when it leads a group. */
  signalLeader(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** `kill -9`, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  send(message: ChildMessage): void {
    this.#child.send(message);
  }

  /** Waits until its output matches. Rejects with all of the output when the process ends first. */
  async printed(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.output)) await this.#next(`it printed ${pattern}`);
  }

  /** Takes the oldest message of this type. Rejects with the output when the process ends first. */
  async message(type: string): Promise<ChildMessage> {
    for (;;) {
      const index = this.#messages.findIndex((message) => message.type === type);
      const [message] = index < 0 ? [] : this.#messages.splice(index, 1);
      if (message !== undefined) return message;
      await this.#next(`it said ${type}`);
    }
  }

  async #next(awaited: string): Promise<void> {
    if (this.#exit !== undefined)
      throw new Error(`process ended (${this.#exit.code ?? this.#exit.signal}) before ${awaited}:\n${this.output}`);
    await new Promise<void>((resolve) => this.#onChange.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#onChange.splice(0)) wake();
  }
}
