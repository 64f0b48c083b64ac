import { createNobleBackend, type SignatureBackend } from "@quorate/crypto";
import { createNodeBackend, loadSodiumBackend } from "@quorate/crypto/node";

const sodium: SignatureBackend | undefined = await loadSodiumBackend();

/** Every back end that this machine has. */
export const BACKENDS: readonly SignatureBackend[] = [
  createNobleBackend(),
  createNodeBackend(),
  ...(sodium === undefined ? [] : [sodium]),
];
