import type { SignatureBackend } from "@quorate/crypto";
import type { Hasher } from "@quorate/protocol";
import type { Service } from "@quorate/state-machine";
import type { Logger } from "pino";
import type { HostSettings } from "./host-settings.ts";
import type { ReplicaFolder } from "./replica-folder.ts";

/** How to run a replica on its data folder. */
export interface StartOptions {
  readonly folder: ReplicaFolder;
  readonly service: Service;
  readonly backend: SignatureBackend;
  readonly hasher: Hasher;
  readonly log: Logger;
  readonly settings?: Partial<HostSettings>;
  /** Called once when the replica cannot go on. It has spoken its last; the process is to end with an error. */
  readonly onFatal: (error: Error) => void;
}
