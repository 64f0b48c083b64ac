import type { SignatureBackend } from "./signature-backend.ts";

/** A back end that counts what it verifies, to see what caches and cheap checks save. */
export class CountingBackend implements SignatureBackend {
  readonly #backend: SignatureBackend;
  /** Calls of `verify` so far. */
  verifications = 0;

  constructor(backend: SignatureBackend) {
    this.#backend = backend;
  }

  get name(): SignatureBackend["name"] {
    return this.#backend.name;
  }
  publicKeyOf(seed: Uint8Array): ReturnType<SignatureBackend["publicKeyOf"]> {
    return this.#backend.publicKeyOf(seed);
  }
  sign(seed: Uint8Array, message: Uint8Array): Uint8Array {
    return this.#backend.sign(seed, message);
  }
  isAdmissible(key: Parameters<SignatureBackend["isAdmissible"]>[0]): boolean {
    return this.#backend.isAdmissible(key);
  }
  verify(...given: Parameters<SignatureBackend["verify"]>): boolean {
    this.verifications += 1;
    return this.#backend.verify(...given);
  }
}
