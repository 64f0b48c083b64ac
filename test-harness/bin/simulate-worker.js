/**
 * Runs the seeds that it is told over IPC, one after the other: a process of `npm run simulate -- --jobs N`.
 */
import { runSeed } from "../dist/index.js";

process.on("message", ({ seed, ...options }) => process.send(runSeed(seed, options)));
process.on("disconnect", () => process.exit());
