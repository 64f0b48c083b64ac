/** A file, flag or folder given by the operator is not what it should be. The message is one line and says what to do. */
export class ConfigurationError extends Error {
  readonly code: ConfigurationErrorCode;

  constructor(code: ConfigurationErrorCode, message: string) {
    super(message);
    this.name = "ConfigurationError";
    this.code = code;
  }
}

/**
 * What can be wrong with what the operator gave.
 *
 * - `configuration.missing`: a file that is needed is not there.
 * - `configuration.unreadable`: a file or folder cannot be read or made.
 * - `configuration.malformed`: a file is not what its name says: no JSON, a field too many or of the wrong kind.
 * - `configuration.version`: written by another version of this format.
 * - `configuration.inconsistent`: parts that are right by themselves do not go together.
 * - `configuration.wrong-key`: the private key is another member's, or nobody's.
 * - `configuration.foreign`: a file or folder of something else.
 * - `configuration.exists`: a file or folder is made only once, and is there.
 * - `configuration.running`: what is to be started or replaced runs.
 */
export type ConfigurationErrorCode =
  | "configuration.missing"
  | "configuration.unreadable"
  | "configuration.malformed"
  | "configuration.version"
  | "configuration.inconsistent"
  | "configuration.wrong-key"
  | "configuration.foreign"
  | "configuration.exists"
  | "configuration.running";
