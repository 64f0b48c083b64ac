import { existsSync } from "node:fs";
import { type Browser, chromium } from "playwright-core";

/** Where Debian puts it; a browser is never downloaded for a test. */
const PATH = process.env.QUORATE_CHROMIUM ?? "/usr/bin/chromium";

/** Why no page can be opened; undefined when it can. */
export const MISSING_CHROMIUM: string | undefined = existsSync(PATH)
  ? undefined
  : `there is no Chromium at ${PATH}; apt-get install --no-install-recommends chromium, or QUORATE_CHROMIUM=FILE`;

/** Whether tests that need it must not be skipped: so it is in continuous integration. */
export const IS_CHROMIUM_REQUIRED: boolean = process.env.QUORATE_BROWSER === "required";

/** A headless one with an empty profile of its own, which talks to nobody but its pages' servers. */
export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
