/** A file, flag or folder given by the operator is not what it should be. The message is one line and says what to do. */
export class ConfigurationError extends Error {
  readonly code: ConfigurationErrorCode;

  constructor(code: ConfigurationErrorCode, message: string) {
    super(message);
    this.name = "ConfigurationError";
    this.code = code;
  }
}

export type ConfigurationErrorCode =
  | "configuration.missing"
  | "configuration.unreadable"
  | "configuration.malformed"
  | "configuration.version"
  | "configuration.inconsistent"
  | "configuration.wrong-key"
  | "configuration.foreign"
  | "configuration.exists";
