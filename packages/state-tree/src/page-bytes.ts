const SLAB_BYTES: number = 32 * 1024;
let slab = new ArrayBuffer(SLAB_BYTES);
let used = 0;

/**
 * Memory for a bucket that is made: zeros, and no byte is anybody else's. A root makes a thousand of them at once, which are
 * written and then forgotten; blocks of their own would cost more than the hashes.
 */
export function pageBytes(size: number): Uint8Array {
  if (size > SLAB_BYTES / 4) return new Uint8Array(size);
  if (used + size > SLAB_BYTES) {
    slab = new ArrayBuffer(SLAB_BYTES);
    used = 0;
  }
  const bytes = new Uint8Array(slab, used, size);
  used += (size + 7) & ~7;
  return bytes;
}
