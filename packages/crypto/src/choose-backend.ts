import { createNodeBackend } from "./node-backend.ts";
import { BackendSelfTestError, passesSelfTest } from "./self-test.ts";
import type { SignatureBackend } from "./signature-backend.ts";
import { loadSodiumBackend } from "./sodium-backend.ts";

/**
 * Chooses the back end of this process, once: libsodium where it is installed and passes its self-test, else
 * `node:crypto`. There is no falling back later: log the `name` of what came out.
 *
 * @throws BackendSelfTestError when `node:crypto` itself does not judge as the rule says.
 */
export async function chooseBackend(): Promise<SignatureBackend> {
  const sodium = await loadSodiumBackend();
  if (sodium !== undefined) return sodium;
  const node = createNodeBackend();
  if (!passesSelfTest(node)) throw new BackendSelfTestError(node.name);
  return node;
}
