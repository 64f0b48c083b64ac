import type { Hasher, OrderedReader } from "@quorate/protocol";
import { CONFIGURATION_KEY, type ConfigurationRecord, decodeConfiguration } from "@quorate/reconfiguration";
import { unsealed } from "@quorate/state-tree";

/**
 * The configuration in a state that is not whole yet: that part of a state comes first when it is brought to a replica (protocol
 * rule 10.2). Undefined when it is not there, or not what was written.
 */
export function storedConfiguration(hasher: Hasher, state: OrderedReader): ConfigurationRecord | undefined {
  const sealed = state.get(CONFIGURATION_KEY);
  const bytes = sealed && unsealed(hasher, CONFIGURATION_KEY, sealed);
  return bytes && decodeConfiguration(bytes);
}
