import type {
  AcceptedChange,
  Configuration,
  ReconfigurationRefusal,
  ReconfigurationRequest,
  SequenceNumber,
} from "@quorate/protocol";

/** What became of a change at its execution: for logs. */
export interface JudgedChange {
  /** Where it was executed. */
  readonly seq: SequenceNumber;
  readonly request: ReconfigurationRequest;
  /** It was judged by. */
  readonly configuration: Configuration;
  readonly outcome: AcceptedChange | ReconfigurationRefusal;
}
