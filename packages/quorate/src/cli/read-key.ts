import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { generateSeed, type SignatureBackend } from "@quorate/crypto";
import { chooseBackend } from "@quorate/crypto/node";
import { hexToBytes } from "@quorate/protocol";
import { ConfigurationError, type KeyFile, keyFileOf, parseKeyFile, readDocument, writeWhole } from "@quorate/server";

const ADVICE = "make one with `quorate keygen --out FILE`";

/**
 * Reads a key file that was named on the command line.
 *
 * @throws ConfigurationError in one line, which never holds what the file does.
 */
export function readKeyFile(path: string): KeyFile {
  const text = readDocument(path, "key file", ADVICE);
  try {
    return parseKeyFile(text, path);
  } catch (error) {
    if (!(error instanceof ConfigurationError) || error.code !== "configuration.malformed") throw error;
    throw new ConfigurationError(
      error.code,
      `${path} is no key file: expected what \`quorate keygen\` writes, JSON with formatVersion, type, publicKey and seed; ${ADVICE}`,
    );
  }
}

/**
 * The 32 secret bytes of a client's key file.
 *
 * @throws ConfigurationError in one line, also when the file's two halves do not belong together.
 */
export async function readSeed(path: string): Promise<Uint8Array> {
  const { seed, publicKey } = readKeyFile(path);
  const bytes = hexToBytes(seed);
  if ((await chooseBackend()).publicKeyOf(bytes) === publicKey) return bytes;
  throw new ConfigurationError(
    "configuration.wrong-key",
    `${path}: the private key does not belong to the public key beside it; restore the file, or ${ADVICE}`,
  );
}

/**
 * The key pair in a file, or a new one that is kept there: what a command that is run again had made before is still the one.
 *
 * @throws ConfigurationError in one line.
 */
export function keyInOrNew(path: string, backend: SignatureBackend): KeyFile {
  if (existsSync(path)) return readKeyFile(path);
  const key = keyFileOf(backend, generateSeed(randomBytes(32)));
  writeWhole(path, `${JSON.stringify(key, null, 2)}\n`, 0o600);
  return key;
}
