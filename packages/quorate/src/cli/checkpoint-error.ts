/** The checkpoint was made, but is not stable in time. The message is one line and says what to do. */
export class CheckpointError extends Error {
  readonly code = "checkpoint.not-stable";

  constructor(message: string) {
    super(message);
    this.name = "CheckpointError";
  }
}
