import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigurationError } from "@quorate/server";
import type { ExecutionContext, Service, StateStore } from "@quorate/state-machine";
import { expect } from "chai";
import { loadService } from "../dist/cli/load-service.js";

const ECHO = "{ execute: (operation) => operation }";

describe("the module of a service", () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), "quorate-load-service-"));
  });
  after(() => rmSync(folder, { recursive: true }));

  // Each under a name of its own: what was loaded once stays loaded.
  let count = 0;
  function load(source: string, ending: string): Promise<Service> {
    const file = join(folder, `service-${count++}.${ending}`);
    writeFileSync(file, source);
    return loadService(file);
  }

  for (const [what, source, ending] of [
    ["as the export `service`", `export const service = ${ECHO};`, "mjs"],
    ["as the default export", `export default ${ECHO};`, "mjs"],
    ["as the export `service` before the default export", `export const service = ${ECHO}; export default 5;`, "mjs"],
    ["as a function that makes it", `export const service = () => (${ECHO});`, "mjs"],
    ["as a function that makes it in time", `export default async () => (${ECHO});`, "mjs"],
    ["as the export of a CommonJS module", `exports.service = ${ECHO};`, "cjs"],
    ["as all of a CommonJS module", `module.exports = ${ECHO};`, "cjs"],
    ["as an object of a class", "export default new (class { execute(operation) { return operation; } })();", "mjs"],
  ] as const)
    it(`may hold it ${what}`, async () => {
      const service = await load(source, ending);

      const operation = Uint8Array.of(5);
      expect(service.execute(operation, {} as StateStore, {} as ExecutionContext)).to.equal(operation);
    });

  for (const [what, source, complaint] of [
    ["does not parse", "export const = ;", /^cannot load the service \S+: SyntaxError: .*; `node \S+` shows where$/],
    [
      "throws when it is loaded",
      '\nthrow new Error("no luck");',
      /^cannot load the service \S+: Error: no luck; it comes from file:\/\/\S+:2:7$/,
    ],
    [
      "throws when the service is made",
      'export default () => { throw new TypeError("no"); };',
      /^cannot load the service \S+: TypeError: no; it comes from file:\/\/\S+:1:\d+$/,
    ],
    ["throws what is no error", "throw 5;", /^cannot load the service \S+: 5; `node \S+` shows where$/],
    ["exports nothing", "", /exports no service: expected an ES module with `export const service = \{ execute\(/],
    ["exports something else", "export const service = { exec() {} };", /exports no service/],
    ["makes nothing", "export const service = () => undefined;", /exports no service/],
  ] as const)
    it(`is refused with what was expected when it ${what}`, async () => {
      const error: unknown = await load(source, "mjs").catch((reason: unknown) => reason);

      expect(error).to.be.instanceOf(ConfigurationError);
      expect((error as ConfigurationError).code).to.equal("configuration.malformed");
      expect((error as ConfigurationError).message).to.match(complaint);
    });

  it("is refused with what was expected when it is not there", async () => {
    const error: unknown = await loadService(join(folder, "nowhere.mjs")).catch((reason: unknown) => reason);

    expect((error as ConfigurationError).code).to.equal("configuration.missing");
    expect((error as ConfigurationError).message).to.match(
      /^no service at \S+nowhere\.mjs: expected an ES module with/,
    );
  });
});
