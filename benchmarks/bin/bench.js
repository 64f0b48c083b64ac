/**
 * `npm run bench`: builds what has changed, then measures it. A benchmark of code that is not the code on disk is worse
 * than none.
 */
import { prepare } from "../../test-harness/bin/prepare.js";

await prepare("bench", "benchmarks");
const { main } = await import("../dist/main.js");
process.exitCode = await main(process.argv.slice(2));
