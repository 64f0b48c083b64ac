import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { EDGE_VECTORS } from "@quorate/crypto/edge-vectors";
import { chooseBackend } from "@quorate/crypto/node";
import { bytesToHex, type PublicKey } from "@quorate/protocol";
import { ProcessCluster, RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";
import type { Browser, Page as Tab } from "playwright-core";
import type { Page } from "./browser-page.ts";
import { IS_CHROMIUM_REQUIRED, launchChromium, MISSING_CHROMIUM } from "./chromium.ts";

const LYING_REPLICA = fileURLToPath(new URL("./lying-replica-child.js", import.meta.url));
const BUNDLER = fileURLToPath(new URL("../bin/bundle-browser.js", import.meta.url));
const EXAMPLE = fileURLToPath(new URL("../../examples/browser-page/server.js", import.meta.url));
const MODULE = new URL("./browser/quorate.js", import.meta.resolve("quorate/browser"));
const POLICY = "default-src 'self'; connect-src 'self' ws:; script-src 'self'; require-trusted-types-for 'script'";

/** Listens before anything else runs. */
const LISTENER = `globalThis.violations = [];
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => {
  violations.push(effectiveDirective + " " + blockedURI);
});`;
const HTML = '<!doctype html><script src="listener.js"></script><script type="module" src="page.js"></script>';

/** The test's own page: an HTML file, what it runs, and the file for browsers. */
function servePage(): Promise<Server> {
  const script = readFileSync(new URL("./browser-page.js", import.meta.url), "utf8");
  const files: Readonly<Record<string, readonly [type: string, body: string | Buffer]>> = {
    "/": ["text/html", HTML],
    "/listener.js": ["text/javascript", LISTENER],
    "/page.js": ["text/javascript", script.replace('"quorate/browser"', '"./quorate.js"')],
    "/quorate.js": ["text/javascript", readFileSync(MODULE)],
    "/favicon.ico": ["image/x-icon", ""],
  };
  const server = createServer(({ url = "" }, response) => {
    const [type, body] = files[url] ?? [];
    if (type === undefined) return response.writeHead(404).end();
    return response.writeHead(200, { "Content-Type": type, "Content-Security-Policy": POLICY }).end(body);
  });
  return new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server)));
}

type Asked = { readonly [K in keyof Page]: Awaited<ReturnType<Page[K]>> };

/** Calls one of the page's functions in the page. */
function ask<K extends keyof Page>(tab: Tab, name: K, ...args: Parameters<Page[K]>): Promise<Asked[K]> {
  return tab.evaluate(
    ([called, values]) => {
      const { page } = globalThis as unknown as { page: Record<string, (...all: unknown[]) => unknown> };
      return page[called as string]!(...(values as unknown[]));
    },
    [name, args] as const,
  ) as Promise<Asked[K]>;
}

const violationsIn = (tab: Tab): Promise<string[]> =>
  tab.evaluate(() => (globalThis as unknown as { violations: string[] }).violations);

describe(`a page in Chromium${MISSING_CHROMIUM === undefined ? "" : `: NOT TESTED, ${MISSING_CHROMIUM}`}`, function () {
  this.timeout(120_000);
  let cluster: ProcessCluster;
  let browser: Browser;
  let server: Server;
  /** What the browser had to complain of. */
  let complaints: string[];

  before(async function () {
    if (MISSING_CHROMIUM !== undefined) {
      if (IS_CHROMIUM_REQUIRED) throw new Error(MISSING_CHROMIUM);
      this.skip();
    }
    execFileSync(process.execPath, [BUNDLER]);
    cluster = await ProcessCluster.make();
    await cluster.startAll([0, 1, 2]);
    await cluster.startWith(3, process.execPath, [LYING_REPLICA, cluster.folder(3).path]);
    server = await servePage();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    server?.close();
    await ProcessCluster.closeAll();
    await RunningCommand.killAll();
  });
  beforeEach(() => {
    complaints = [];
  });

  async function open(url: string): Promise<Tab> {
    const tab = await browser.newPage();
    tab.on("console", (message) => complaints.push(`${message.type()}: ${message.text()}`));
    tab.on("pageerror", (error) => complaints.push(error.message));
    await tab.goto(url);
    return tab;
  }
  const openPage = (): Promise<Tab> => open(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);

  it("writes and reads, and gets right answers while one of the replicas lies", async () => {
    const tab = await openPage();

    const { sums, greeting } = await ask(tab, "count", cluster.genesis, 20);

    expect(sums).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 1));
    expect(greeting).to.equal("hello from Chromium");
    cluster.process(3).send({ type: "lies?" });
    expect((await cluster.process(3).message("lies")).results).to.be.greaterThan(0);
    const { store } = await cluster.connect();
    expect(await store.getText("greeting")).to.equal("hello from Chromium");
    expect([...complaints, ...(await violationsIn(tab))]).to.deep.equal([]);
  });

  it("verifies a receipt by itself, and says what is wrong with one in which a bit is flipped", async () => {
    const tab = await openPage();

    const { signers, fault, flipped, signatureFaults } = await ask(tab, "receipt", cluster.genesis);

    expect(signers).to.have.length(2).and.not.include(3);
    expect(fault).to.equal("none");
    const receipt = (reason: string): unknown => ({ part: "receipt", fault: reason });
    expect(flipped).to.deep.equal({
      result: receipt("other-results"),
      session: receipt("other-results"),
      number: receipt("other-results"),
      requestDigest: receipt("other-results"),
      outputsRoot: receipt("other-results"),
      historyDigest: receipt("bad-signature"),
      seq: receipt("bad-signature"),
      epoch: { part: "links", fault: "missing", epoch: 1 },
    });
    expect(signatureFaults).to.deep.equal(new Array(64).fill(receipt("bad-signature")));
  });

  it("judges signatures and keys at the edge as the back end of Node does", async () => {
    const tab = await openPage();
    const native = await chooseBackend();
    const vectors = EDGE_VECTORS.map(({ publicKey, message, signature }) => ({
      publicKey: bytesToHex(publicKey),
      message: bytesToHex(message),
      signature: bytesToHex(signature),
    }));

    const verdicts = await ask(tab, "verdicts", vectors);

    expect(native.name).to.not.equal("noble");
    expect(verdicts.filter(({ valid }) => valid)).to.have.length(1);
    for (const [i, { title, publicKey, message, signature, valid }] of EDGE_VECTORS.entries()) {
      const key = bytesToHex(publicKey) as PublicKey;
      const judged = { valid: native.verify(key, message, signature), admissible: native.isAdmissible(key) };
      expect(judged.valid, title).to.equal(valid);
      expect(verdicts[i], title).to.deep.equal(judged);
    }
  });

  it("is under a policy that refuses `eval`", async () => {
    const tab = await openPage();

    expect(await ask(tab, "evaluate")).to.equal("EvalError");
    await tab.waitForFunction(() => (globalThis as unknown as { violations: string[] }).violations.length > 0);
  });

  it("is the example page: it shows an answer, its receipt, and that a forged one proves nothing", async () => {
    const args = [EXAMPLE, "--genesis", cluster.genesisPath, "--port", "0"];
    const example = new RunningCommand(process.execPath, args);
    await example.printed(/http:\S+/);
    const tab = await open(/http:\S+/.exec(example.output)![0]);
    const shows = (id: string, text: string): Promise<unknown> =>
      tab.locator(`#${id}`, { hasText: text }).waitFor({ timeout: 30_000 });

    await tab.fill("[name=key]", "motto");
    await tab.fill("[name=value]", "plus est en vous");
    await tab.click("text=Write");
    await shows("answer", "Written.");
    await tab.click("text=Read");
    await shows("answer", "plus est en vous");
    await shows("receipt", "signed that");
    await tab.click("#check");
    await shows("verdict", "Proven by the genesis document.");
    await tab.click("#forge");
    await shows("verdict", "Proves nothing: other-results.");

    const { store } = await cluster.connect();
    expect(await store.getText("motto")).to.equal("plus est en vous");
    expect(complaints).to.deep.equal([]);
  });
});
