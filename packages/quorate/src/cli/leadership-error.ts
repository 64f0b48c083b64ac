/** Why there is no other primary now. The message is one line and says what to do. */
export class LeadershipError extends Error {
  readonly code: LeadershipErrorCode;

  constructor(code: LeadershipErrorCode, message: string) {
    super(message);
    this.name = "LeadershipError";
    this.code = code;
  }
}

export type LeadershipErrorCode =
  /** No replica that could be asked says that it is the primary. */
  | "leadership.no-primary"
  /** The replica that was asked is not the primary. */
  | "leadership.not-primary"
  /** No other view was entered in time. */
  | "leadership.unchanged";
