import {
  APPROVALS_MAX,
  type Configuration,
  type Genesis,
  MEMBERS_MAX,
  MEMBERS_MIN,
  type Member,
  type ReconfigurationChange,
  type ReconfigurationRequest,
  type Request,
  WINDOW_BYTES_MAX,
  WINDOW_SIZE_MAX,
} from "@quorate/protocol";

/** What a reader of the log says became of a change: the reason of its refusal, or where it takes effect. */
export type ModelVerdict = string;

/** An epoch by the log: what it fixes, the number above which it begins, and the one with which it ends. */
export interface ModelEpoch {
  readonly configuration: Configuration;
  readonly above: number;
  end: number | undefined;
}

interface Waiting {
  readonly activation: number;
  readonly next: Configuration;
  readonly rejoins: boolean;
  queued?: Configuration["admins"];
}

type Change<T extends ReconfigurationChange["type"]> = Extract<ReconfigurationChange, { readonly type: T }>;

const REMEMBERED_CHECKPOINTS = 16;
const REMEMBERED_NONCES = 1_024;
const REJOIN_WINDOWS = 64;
const IDS_SKIPPED_MAX = 1_024;

/**
 * Protocol rule 11 read from the ordered log alone, written down a second time: what became of each change, and which epoch each
 * number belongs to. It shares no code with what replicas judge by.
 */
export class ConfigurationModel {
  readonly epochs: ModelEpoch[];
  readonly #genesis: Genesis;
  readonly #admitted: Set<string> | undefined;
  readonly #nonces = new Set<string>();
  readonly #rejoined = new Map<number, { readonly loss: string; readonly at: number }>();
  readonly #checkpoints: string[] = [];
  #highestId: number;
  #waiting: Waiting | undefined;

  constructor(genesis: Genesis) {
    const { members, admins, checkpointInterval, windowSize } = genesis;
    const configuration = { epoch: 0, members: byId(members), admins, checkpointInterval, windowSize } as Configuration;
    this.#genesis = genesis;
    this.epochs = [{ configuration, above: 0, end: undefined }];
    this.#admitted = genesis.clients === "open" ? undefined : new Set(genesis.clients);
    this.#highestId = Math.max(...members.map(({ id }) => id));
  }

  /** The latest epoch. */
  get last(): ModelEpoch {
    return this.epochs[this.epochs.length - 1] as ModelEpoch;
  }

  /**
   * Executes the batch of the next number.
   *
   * @param root of the state after it, where that is a checkpoint.
   * @returns a verdict for each change in it.
   */
  execute(seq: number, requests: readonly Request[], root: string | undefined): readonly ModelVerdict[] {
    const verdicts = requests.flatMap((request) =>
      request.type === "reconfiguration" ? [this.#decide(request, seq)] : [],
    );
    if (this.#waiting?.activation === seq) this.#activate(this.#waiting, seq);
    if (root !== undefined) this.#checkpoints.push(`${seq} ${root}`);
    return verdicts;
  }

  #decide(request: ReconfigurationRequest, seq: number): ModelVerdict {
    const { configuration } = this.last;
    const { change, approvals, nonce } = request;
    if (request.epoch !== configuration.epoch) return "epoch-other";
    if (this.#nonces.has(nonce)) return "nonce-used";
    const { keys, threshold } = configuration.admins;
    if (approvals.some(({ key }) => !keys.includes(key))) return "approval-foreign";
    const isByAdmins = approvals.length >= threshold;
    if (!isByAdmins && !this.#isOwn(request)) return "approvals-too-few";
    const verdict = this.#decideAuthorized(change, seq, isByAdmins);
    const isSpent = isByAdmins || isAccepted(verdict);
    if (isSpent && this.#nonces.size < REMEMBERED_NONCES) this.#nonces.add(nonce);
    return verdict;
  }

  #decideAuthorized(change: ReconfigurationChange, seq: number, isByAdmins: boolean): ModelVerdict {
    const { configuration } = this.last;
    if (change.type === "admit" || change.type === "expel") return this.#admit(change, seq);
    if (this.#waiting !== undefined) return this.#queue(this.#waiting, change);
    const fault = this.#faultOf(change, seq, isByAdmins);
    if (fault !== undefined) return fault;
    const activation = this.#activationOf(seq, configuration);
    this.#note(change, seq);
    const next = { ...configuration, ...changed(configuration, change), epoch: configuration.epoch + 1 };
    this.#waiting = { activation, next: next as Configuration, rejoins: change.type === "rejoin" };
    this.last.end = activation;
    return accepted(configuration.epoch + 1, activation);
  }

  #isOwn({ client, change }: ReconfigurationRequest): boolean {
    if (change.type !== "leave" && change.type !== "rejoin") return false;
    return this.last.configuration.members.some(({ id, publicKey }) => id === change.id && publicKey === client);
  }

  #admit({ type, client }: Change<"admit" | "expel">, seq: number): ModelVerdict {
    if (this.#nonces.size === REMEMBERED_NONCES) return "nonces-spent";
    if (this.#admitted === undefined) return "clients-open";
    if (this.#admitted.has(client) === (type === "admit")) return "changes-nothing";
    if (type === "admit") this.#admitted.add(client);
    else this.#admitted.delete(client);
    return accepted(this.last.configuration.epoch, seq);
  }

  /** One at a time; only admins have a place behind a member that rejoins. */
  #queue(waiting: Waiting, change: ReconfigurationChange): ModelVerdict {
    if (change.type !== "admins" || !waiting.rejoins || waiting.queued !== undefined) return "in-flight";
    const fault = faultOfAdmins(change, this.last.configuration);
    if (fault !== undefined) return fault;
    waiting.queued = sorted(change.admins);
    return accepted(waiting.next.epoch + 1, this.#activationOf(waiting.activation + 1, waiting.next));
  }

  #activationOf(seq: number, { checkpointInterval: k, windowSize: l }: Configuration): number {
    let activation = seq + l;
    while (activation % k !== 0) activation += 1;
    return activation;
  }

  #activate({ next, queued }: Waiting, seq: number): void {
    this.#nonces.clear();
    this.#waiting = undefined;
    const epoch: ModelEpoch = { configuration: next, above: seq, end: undefined };
    this.epochs.push(epoch);
    if (queued === undefined) return;
    epoch.end = this.#activationOf(seq + 1, next);
    const after = { ...next, epoch: next.epoch + 1, admins: queued } as Configuration;
    this.#waiting = { activation: epoch.end, next: after, rejoins: false };
  }

  #note(change: ReconfigurationChange, seq: number): void {
    if (change.type === "join") {
      const { member, loss } = change;
      this.#highestId = member.id;
      if (loss !== undefined) this.#rejoined.set(member.id, { loss, at: seq });
    }
    if (change.type === "rejoin") this.#rejoined.set(change.id, { loss: change.loss, at: seq });
  }

  #faultOf(change: ReconfigurationChange, seq: number, isByAdmins: boolean): ModelVerdict | undefined {
    const { configuration } = this.last;
    switch (change.type) {
      case "join":
        return this.#faultOfJoin(change);
      case "leave":
        return faultOfLeave(change, configuration);
      case "rejoin":
        return this.#faultOfRejoin(change, seq, isByAdmins);
      case "rotate-key":
        return faultOfRotation(change, configuration);
      case "admins":
        return faultOfAdmins(change, configuration);
      case "parameters":
        return this.#faultOfParameters(change);
      default:
        return undefined;
    }
  }

  #faultOfJoin({ member, checkpoint }: Change<"join">): ModelVerdict | undefined {
    const { members } = this.last.configuration;
    if (member.id > this.#highestId + IDS_SKIPPED_MAX || !/:\d{1,5}$/.test(member.address)) return "member-invalid";
    if (member.id <= this.#highestId) return "id-used";
    if (members.some(({ publicKey }) => publicKey === member.publicKey)) return "key-used";
    if (members.some(({ address }) => address === member.address)) return "address-used";
    if (members.length === MEMBERS_MAX) return "members-too-many";
    const recent = this.#checkpoints.slice(-REMEMBERED_CHECKPOINTS);
    return recent.includes(`${checkpoint.seq} ${checkpoint.stateRoot}`) ? undefined : "joiner-behind";
  }

  #faultOfRejoin({ id, loss }: Change<"rejoin">, seq: number, isByAdmins: boolean): ModelVerdict | undefined {
    const { members, windowSize } = this.last.configuration;
    if (members.every((member) => member.id !== id)) return "member-unknown";
    const last = this.#rejoined.get(id);
    if (last === undefined) return undefined;
    if (last.loss === loss) return "changes-nothing";
    return !isByAdmins && seq < last.at + REJOIN_WINDOWS * windowSize ? "rejoin-too-soon" : undefined;
  }

  #faultOfParameters({ checkpointInterval: k, windowSize: l }: Change<"parameters">): ModelVerdict | undefined {
    const { configuration } = this.last;
    const { limits } = this.#genesis;
    if (k < 1 || l < 2 * k || l % k !== 0) return "parameters-invalid";
    if (l > WINDOW_SIZE_MAX || l * limits.batchBytesMax > WINDOW_BYTES_MAX) return "parameters-invalid";
    return k === configuration.checkpointInterval && l === configuration.windowSize ? "changes-nothing" : undefined;
  }
}

function accepted(epoch: number, activation: number): ModelVerdict {
  return `accepted: epoch ${epoch} above ${activation}`;
}

export function isAccepted(verdict: ModelVerdict): boolean {
  return verdict.startsWith("accepted: ");
}

function changed(configuration: Configuration, change: ReconfigurationChange): Partial<Configuration> {
  const { members } = configuration;
  switch (change.type) {
    case "join":
      return { members: byId([...members, change.member]) };
    case "leave":
      return { members: members.filter(({ id }) => id !== change.id) };
    case "rotate-key": {
      const { id, publicKey } = change;
      return { members: members.map((member) => (member.id === id ? { ...member, publicKey } : member)) };
    }
    case "admins":
      return { admins: sorted(change.admins) };
    case "parameters":
      return { checkpointInterval: change.checkpointInterval, windowSize: change.windowSize };
    default:
      return {};
  }
}

function faultOfLeave({ id, mayLowerFaultThreshold }: Change<"leave">, { members }: Configuration): string | undefined {
  if (members.every((member) => member.id !== id)) return "member-unknown";
  if (members.length === MEMBERS_MIN) return "members-too-few";
  // With n = 3f+1 members one less tolerates one less.
  return members.length % 3 === 1 && !mayLowerFaultThreshold ? "fault-threshold-lowered" : undefined;
}

function faultOfRotation({ id, publicKey }: Change<"rotate-key">, { members }: Configuration): string | undefined {
  const owner = members.find((member) => member.publicKey === publicKey);
  if (members.every((member) => member.id !== id)) return "member-unknown";
  if (owner === undefined) return undefined;
  return owner.id === id ? "changes-nothing" : "key-used";
}

function faultOfAdmins({ admins }: Change<"admins">, { admins: before }: Configuration): string | undefined {
  const { threshold, keys } = admins;
  if (threshold < 1 || keys.length < threshold || keys.length > APPROVALS_MAX) return "admins-invalid";
  if (new Set(keys).size < keys.length) return "admins-invalid";
  const isSame = threshold === before.threshold && sorted(admins).keys.join() === sorted(before).keys.join();
  return isSame ? "changes-nothing" : undefined;
}

function byId(members: readonly Member[]): readonly Member[] {
  return [...members].sort((a, b) => a.id - b.id);
}

function sorted({ threshold, keys }: Configuration["admins"]): Configuration["admins"] {
  return { threshold, keys: [...keys].sort() };
}
