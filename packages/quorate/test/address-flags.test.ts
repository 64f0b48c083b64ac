import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chooseBackend } from "@quorate/crypto/node";
import type { PublicKey } from "@quorate/protocol";
import { ScriptedEpochs } from "@quorate/reconfiguration/testing";
import { EventLog } from "@quorate/transport/compliance";
import { expect } from "chai";
import { createProgram } from "../dist/cli/main.js";

/** Takes connections, says nothing, and ends them. */
async function silentServer(dialed: EventLog<true>): Promise<Server> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.destroy();
    dialed.add(true);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

describe("`--at` of a command that connects", () => {
  const folder = mkdtempSync(join(tmpdir(), "quorate-at-"));
  const [genesis, key] = [join(folder, "genesis.json"), join(folder, "key.json")];
  let server: Server;
  let dialed: EventLog<true>;

  before(async () => {
    const backend = await chooseBackend();
    const keyOf = (n: number): PublicKey => backend.publicKeyOf(new Uint8Array(32).fill(n + 1));
    const scripted = new ScriptedEpochs().genesis;
    // Nobody is where its members were.
    const members = scripted.members.map((member, at) => ({
      ...member,
      publicKey: keyOf(at),
      address: `127.0.0.1:${at + 1}`,
    }));
    const admins = { threshold: 1, keys: [keyOf(members.length)] };
    writeFileSync(genesis, JSON.stringify({ ...scripted, members, admins }));
    await run("keygen", "--out", key);
  });
  beforeEach(async () => {
    dialed = new EventLog();
    server = await silentServer(dialed);
  });
  afterEach(() => server.close());
  after(() => rmSync(folder, { recursive: true }));

  async function run(...words: string[]): Promise<void> {
    await createProgram().parseAsync(words, { from: "user" });
  }

  for (const words of [
    ["kv", "get", "greeting", "--deadline", "1000"],
    ["kv", "range", "--stale", "--deadline", "1000"],
    ["checkpoint", "--timeout", "1000"],
    ["members", "list", "--timeout", "1000"],
  ])
    it(`says where a replica may be found: \`${words.join(" ")}\``, async () => {
      const { port } = server.address() as AddressInfo;
      const running = run(...words, "--genesis", genesis, "--key", key, "--at", `127.0.0.1:${port}`).then(
        () => "ended well",
        (error: Error) => error.message,
      );

      await Promise.race([dialed.nth(1), running]);

      expect(dialed.events, await running).to.have.length.greaterThan(0);
    });
});
