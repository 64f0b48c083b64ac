import { bytesToHex } from "@quorate/protocol";
import { type Checker, demand, type Ending, type ExecutionStep } from "./checker.ts";

/** Same state: after each number every correct replica has the same state root and ran the same operations to the same results. */
export class StateEqualityChecker implements Checker {
  readonly #states = new Map<number, { readonly stateRoot: string; readonly operations: string }>();

  onExecuted({ replica, seq, stateRoot, operations }: ExecutionStep): void {
    const ran = operations
      .map(({ client, call, result }) => `${client}/${call}=${result === undefined ? "threw" : bytesToHex(result)}`)
      .join();
    const first = this.#states.get(seq);
    if (first === undefined) {
      this.#states.set(seq, { stateRoot, operations: ran });
      return;
    }
    demand(first.operations === ran, "state.operations", { replica, seq, ran, first: first.operations });
    demand(first.stateRoot === stateRoot, "state.root", { replica, seq, stateRoot, first: first.stateRoot });
  }

  atEnd({ replicas }: Ending): void {
    for (const { id, status, stateRoot } of replicas)
      demand(stateRoot === this.#states.get(status.executed)?.stateRoot, "state.end", { id, stateRoot });
  }
}
