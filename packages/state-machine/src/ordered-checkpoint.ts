import {
  type CheckpointRequest,
  type Configuration,
  checkpointNumberToBytes,
  checkpointSpacing,
  type Epoch,
  type OperationResult,
  type PublicKey,
  type ResultStatus,
  type SequenceNumber,
} from "@quorate/protocol";

/** Where in the order a request for a checkpoint is judged. */
export interface CheckpointPlace {
  /** The number of the batch that it is in. */
  readonly seq: SequenceNumber;
  /** The last checkpoint before that batch. */
  readonly last: SequenceNumber;
}

const NOTHING = new Uint8Array(0);

/**
 * Which batches are checkpoints (protocol rule 9.1): every K-th, and such as admins and members order. A request asks for
 * a checkpoint above a number that is below its own place. The one that it brings about is above that number, and the
 * last checkpoint never goes down: so no request ever brings about a second one, and none has to be remembered.
 */
export class CheckpointRule {
  readonly #interval: number;
  readonly #spacing: number;
  readonly #epoch: Epoch;
  readonly #permitted: ReadonlySet<PublicKey>;

  constructor(configuration: Configuration) {
    const { epoch, checkpointInterval, admins, members } = configuration;
    this.#interval = checkpointInterval;
    this.#spacing = checkpointSpacing(configuration);
    this.#epoch = epoch;
    this.#permitted = new Set([...admins.keys, ...members.map(({ publicKey }) => publicKey)]);
  }

  /** Whether the batch is one whatever stands in it. */
  isRegular(seq: SequenceNumber): boolean {
    return seq % this.#interval === 0;
  }

  /** `ok`: the batch is a checkpoint by this request. Requests of one batch are judged alike, whatever their order. */
  judge({ client, epoch, above }: CheckpointRequest, { seq, last }: CheckpointPlace): ResultStatus {
    if (epoch !== this.#epoch || !this.#permitted.has(client)) return "checkpoint-not-permitted";
    if (above >= seq) return "checkpoint-too-far";
    if (above < last) return "checkpoint-superseded";
    return seq - last < this.#spacing ? "checkpoint-too-soon" : "ok";
  }

  /** The result of a request: with the number of the last checkpoint there is then, where it depends on that. */
  resultOf(request: CheckpointRequest, place: CheckpointPlace): OperationResult {
    const status = this.judge(request, place);
    switch (status) {
      case "ok":
        return { status, value: checkpointNumberToBytes(place.seq) };
      case "checkpoint-superseded":
      case "checkpoint-too-soon":
        return { status, value: checkpointNumberToBytes(place.last) };
      default:
        return { status, value: NOTHING };
    }
  }
}
