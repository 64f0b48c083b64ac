import type { SignatureBackend } from "@quorate/crypto";
import { bytesToHex, type Hasher, type PublicKey } from "@quorate/protocol";

/** Verdicts that are remembered; all replicas of a run ask about a message soon after each other. */
const VERDICTS_MAX = 20_000;

/**
 * A back end that judges each signature once, for all replicas of a simulation: the verdict is a function of key, message and signature
 * alone, and with real signatures it is most of what a run costs.
 */
export class RememberingBackend implements SignatureBackend {
  readonly #backend: SignatureBackend;
  readonly #hasher: Hasher;
  readonly #verdicts = new Map<string, boolean>();

  constructor(backend: SignatureBackend, hasher: Hasher) {
    this.#backend = backend;
    this.#hasher = hasher;
  }

  get name(): SignatureBackend["name"] {
    return this.#backend.name;
  }
  publicKeyOf(seed: Uint8Array): PublicKey {
    return this.#backend.publicKeyOf(seed);
  }
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return this.#backend.sign(seed, message);
  }
  isAdmissible(key: PublicKey): boolean {
    return this.#backend.isAdmissible(key);
  }

  verify(key: PublicKey, message: Uint8Array, signature: Uint8Array): boolean {
    const question = `${key} ${this.#hasher.digest(message)} ${bytesToHex(signature)}`;
    const known = this.#verdicts.get(question);
    if (known !== undefined) return known;
    const verdict = this.#backend.verify(key, message, signature);
    if (this.#verdicts.size >= VERDICTS_MAX) this.#verdicts.clear();
    this.#verdicts.set(question, verdict);
    return verdict;
  }
}
