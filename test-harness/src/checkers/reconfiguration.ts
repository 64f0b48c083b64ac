import { requestDigest } from "@quorate/crypto";
import {
  bytesToAcceptedChange,
  bytesToRefusal,
  type ClusterId,
  type CommittedEntry,
  type Configuration,
  type Epoch,
  epochNumber,
  type Genesis,
  type Hasher,
  type Member,
  type OperationResult,
  type ReconfigurationChange,
  type ReplicaFrame,
  type ReplicaId,
  type Reply,
} from "@quorate/protocol";
import type { EpochChain } from "@quorate/reconfiguration";
import type { ReplicaStatus } from "@quorate/replica";
import { type Checker, demand, type Ending, type ExecutionStep, type ToldMembership } from "./checker.ts";
import { ConfigurationModel, isAccepted, type ModelEpoch } from "./configuration-model.ts";
import { envelopeIn } from "./promises.ts";

interface Told {
  readonly seq: number;
  readonly told: string;
  readonly members: readonly (readonly [ReplicaId, string, string])[];
  readonly by: Set<ReplicaId>;
}

/** What is counted for each change of this kind that takes effect, once for the whole cluster. */
export function markOfChange(type: ReconfigurationChange["type"]): string {
  return `change in force: ${type}`;
}

/** What a correct replica said in one epoch as one of its members. */
interface Said {
  least: number;
  greatest: number;
}

/**
 * Reconfiguration: at each number there is one configuration, the one that a reader of the ordered log comes to, and what changes were
 * answered is what such a reader says; all correct replicas have prefixes of one chain of epochs; what a replica says as
 * a member it says in epochs of which it is one, and of their numbers; and what was decided was so by a quorum of the members of its epoch.
 */
export class ReconfigurationChecker implements Checker {
  readonly #genesis: Genesis;
  readonly #hasher: Hasher;
  readonly #cluster: ClusterId;
  readonly #epochs: () => EpochChain;
  readonly #mark: (name: string) => void;
  /** By epoch, as whoever came to it first has it. */
  readonly #chain: string[] = [];
  readonly #roots = new Map<number, string>();
  readonly #said = new Map<string, Said>();
  /** Changes by number and digest: how they were answered. */
  readonly #answered = new Map<string, string>();
  readonly #statements = new Map<string, Said>();
  /** By epoch: what services were told of its members. */
  readonly #told = new Map<number, Told>();
  /** By checkpoint: who executed its batch. */
  readonly #executed = new Map<number, Set<ReplicaId>>();

  /** @param mark counts what came into force. */
  constructor(
    genesis: Genesis,
    hasher: Hasher,
    cluster: ClusterId,
    epochs: () => EpochChain,
    mark: (name: string) => void = () => undefined,
  ) {
    this.#genesis = genesis;
    this.#hasher = hasher;
    this.#cluster = cluster;
    this.#epochs = epochs;
    this.#mark = mark;
  }

  /** It has come to an epoch, or back with what it knows of them. */
  onEpochs(replica: ReplicaId, epochs: EpochChain): void {
    for (let epoch = 0; epoch <= epochs.epoch; epoch++) {
      const known = describe(epochs, epochNumber(epoch));
      this.#chain[epoch] ??= known;
      const first = this.#chain[epoch];
      demand(first === known, "reconfiguration.chains-fork", { replica, epoch, known, first });
    }
  }

  onExecuted({ replica, seq, isCheckpoint, stateRoot }: ExecutionStep): void {
    if (!isCheckpoint) return;
    this.#roots.set(seq, stateRoot);
    this.#executed.set(seq, (this.#executed.get(seq) ?? new Set<ReplicaId>()).add(replica));
  }

  onMembership(replica: ReplicaId, { epoch, members, ...where }: ToldMembership): void {
    const told = `${JSON.stringify(where)} ${JSON.stringify(members.map(ofMember))}`;
    const { told: first, by } = this.#told.get(epoch) ?? { told, by: new Set<ReplicaId>() };
    this.#told.set(epoch, { seq: where.seq, told: first, members: members.map(ofMember), by: by.add(replica) });
    demand(first === told, "reconfiguration.services-told-otherwise", { replica, epoch, told, first });
  }

  onStatus(replica: ReplicaId, { epoch }: ReplicaStatus): void {
    demand(epoch <= this.#epochs().epoch, "reconfiguration.epoch-unknown", { replica, epoch });
  }

  onSent(from: ReplicaId, frame: ReplicaFrame): void {
    const envelope = envelopeIn(frame);
    if (envelope?.from !== from) return;
    const { message } = envelope;
    note(this.#said, `${from} e${message.epoch}`, voteOf(message));
  }

  onReply(from: ReplicaId, { statement, requestDigest: digest, results }: Reply): void {
    const { epoch, seq } = statement;
    note(this.#statements, `${from} e${epoch}`, seq);
    const [result] = results;
    const answer = result && answerOf(result);
    if (answer === undefined) return;
    const place = `${seq} ${digest}`;
    const before = this.#answered.get(place) ?? answer;
    demand(before === answer, "reconfiguration.answers-differ", { from, seq, digest, before, answer });
    this.#answered.set(place, answer);
  }

  atEnd({ replicas, history }: Ending): void {
    const model = new ConfigurationModel(this.#genesis);
    for (const { batch, certificate } of history) {
      const { seq } = certificate;
      this.#checkCertificate(model.last, certificate);
      const verdicts = model.execute(seq, batch.requests, this.#roots.get(seq));
      const changes = batch.requests.filter(({ type }) => type === "reconfiguration");
      changes.forEach((request, i) => {
        const place = `${seq} ${requestDigest(this.#hasher, this.#cluster, request)}`;
        const [answered, due] = [this.#answered.get(place), verdicts[i]];
        demand(answered === undefined || answered === due, "reconfiguration.verdict", { place, answered, due });
        if (request.type === "reconfiguration" && due !== undefined && isAccepted(due))
          this.#mark(markOfChange(request.change.type));
      });
    }
    this.#checkChain(model.epochs);
    this.#checkTold(model.epochs);
    for (const [who, said] of this.#said) checkSaid(who, said, model.epochs, "vote");
    for (const [who, said] of this.#statements) checkSaid(who, said, model.epochs, "statement");
    for (const { id, status } of replicas)
      demand(status.epoch === model.epochs.length - 1, "reconfiguration.left-behind", { id, epoch: status.epoch });
  }

  /** Two such sets of members share more than can be faulty. */
  #checkCertificate({ configuration }: ModelEpoch, { epoch, seq, signatures }: CommittedEntry["certificate"]): void {
    demand(epoch === configuration.epoch, "reconfiguration.decided-in-another", { seq, epoch });
    checkQuorum(configuration, signatures, { seq, epoch });
  }

  /** Services were told in the last batch of the members before, at everyone who executed it. */
  #checkTold(due: readonly ModelEpoch[]): void {
    for (const [epoch, { above }] of due.entries())
      for (const replica of this.#executed.get(above) ?? [])
        demand(this.#told.get(epoch)?.by.has(replica) === true, "reconfiguration.service-not-told", { replica, epoch });
    for (const [epoch, { seq, members }] of this.#told) {
      const { configuration, above } = due[epoch] ?? {};
      demand(seq === above, "reconfiguration.service-told-elsewhere", { epoch, seq, above });
      const of = JSON.stringify(configuration?.members.map(ofMember));
      demand(JSON.stringify(members) === of, "reconfiguration.service-told-of-others", { epoch, members, of });
    }
  }

  #checkChain(due: readonly ModelEpoch[]): void {
    const epochs = this.#epochs();
    demand(epochs.epoch === due.length - 1, "reconfiguration.epochs", { epoch: epochs.epoch, due: due.length - 1 });
    for (const [epoch, { configuration, above }] of due.entries()) {
      const known = epochs.configurationAt(epochNumber(epoch));
      const membership = epochs.membershipAt(epochNumber(epoch));
      demand(textOf(known) === textOf(configuration), "reconfiguration.configuration", { epoch, known, configuration });
      demand((membership?.start?.seq ?? 0) === above, "reconfiguration.start", { epoch, above });
      const link = epoch > 0 ? epochs.linksAbove(epochNumber(epoch - 1))[0] : undefined;
      const before = due[epoch - 1]?.configuration;
      if (link !== undefined && before !== undefined)
        checkQuorum(before, link.certificate.signatures, { seq: above, epoch: before.epoch });
    }
  }
}

function describe(epochs: EpochChain, epoch: Epoch): string {
  return `${textOf(epochs.configurationAt(epoch))} ${JSON.stringify(epochs.membershipAt(epoch)?.start)}`;
}

function textOf(configuration: Configuration | undefined): string {
  if (configuration === undefined) return "unknown";
  const { epoch, members, admins, checkpointInterval, windowSize } = configuration;
  const ofMembers = members.map(ofMember);
  return JSON.stringify([epoch, ofMembers, admins.threshold, [...admins.keys].sort(), checkpointInterval, windowSize]);
}

function ofMember({ id, publicKey, address }: Member): readonly [ReplicaId, string, string] {
  return [id, publicKey, address];
}

function answerOf({ status, value }: OperationResult): string | undefined {
  if (status === "reconfiguration-refused") return bytesToRefusal(value) ?? "no reason";
  const accepted = status === "ok" ? bytesToAcceptedChange(value) : undefined;
  return accepted && `accepted: epoch ${accepted.epoch} above ${accepted.activation}`;
}

/** The number that a message votes for, if it does. */
function voteOf(message: object): number | undefined {
  return "type" in message && "seq" in message && VOTES.includes(String(message.type))
    ? Number(message.seq)
    : undefined;
}

const VOTES: readonly string[] = ["pre-prepare", "prepare", "commit", "checkpoint"];

function note(said: Map<string, Said>, who: string, seq: number | undefined): void {
  const before = said.get(who) ?? { least: Number.POSITIVE_INFINITY, greatest: 0 };
  said.set(who, before);
  if (seq === undefined) return;
  before.least = Math.min(before.least, seq);
  before.greatest = Math.max(before.greatest, seq);
}

function checkSaid(who: string, { least, greatest }: Said, epochs: readonly ModelEpoch[], what: string): void {
  const [id, epoch] = who.split(" e").map(Number);
  const of = epochs[epoch ?? -1];
  const isMember = of?.configuration.members.some((member) => member.id === id) === true;
  demand(isMember, `reconfiguration.${what}-of-no-member`, { id, epoch });
  demand(least > (of?.above ?? 0), `reconfiguration.${what}-before-its-epoch`, { id, epoch, least, above: of?.above });
  const end = of?.end ?? Number.POSITIVE_INFINITY;
  demand(greatest <= end, `reconfiguration.${what}-after-its-epoch`, { id, epoch, greatest, end });
}

function checkQuorum(
  { members }: Configuration,
  signatures: readonly { readonly from: ReplicaId }[],
  facts: { readonly seq: number; readonly epoch: number },
): void {
  const signers = new Set(signatures.map(({ from }) => from));
  for (const from of signers) {
    const isMember = members.some(({ id }) => id === from);
    demand(isMember, "reconfiguration.signed-by-no-member", { ...facts, from });
  }
  const f = Math.ceil(members.length / 3) - 1;
  const shared = 2 * signers.size - members.length;
  demand(shared > f, "reconfiguration.no-quorum", { ...facts, n: members.length, signers: signers.size });
}
