import { once } from "node:events";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { RunningCommand } from "@quorate/test-harness";
import { expect } from "chai";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

describe("`npm start` while it installs", function () {
  this.timeout(20_000);
  let copy: string;
  /** Each stand-in for npm connects to it, and leaves when it ends, however it does. */
  let server: Server;
  beforeEach(async () => {
    copy = realpathSync(mkdtempSync(join(tmpdir(), "quorate-prepare-")));
    mkdirSync(join(copy, "test-harness/bin"), { recursive: true });
    for (const name of ["start.js", "prepare.js", "install-state.js"])
      cpSync(join(ROOT, "test-harness/bin", name), join(copy, "test-harness/bin", name));
    writeFileSync(join(copy, "package.json"), JSON.stringify({ type: "module" }));
    const wanted = { "node_modules/missing": { version: "1.0.0", integrity: "none" } };
    writeFileSync(join(copy, "package-lock.json"), JSON.stringify({ packages: wanted }));
    server = createServer();
    server.listen(join(copy, "socket"));
    await once(server, "listening");
  });
  afterEach(async () => {
    await RunningCommand.killAll();
    server.close();
    rmSync(copy, { recursive: true });
  });

  function startWith(npm: string): RunningCommand {
    const path = join(copy, "path");
    mkdirSync(path);
    writeFileSync(join(path, "npm"), `#!${process.execPath}\n${npm}`);
    chmodSync(join(path, "npm"), 0o755);
    return new RunningCommand(process.execPath, ["test-harness/bin/start.js"], {
      cwd: copy,
      ownGroup: true,
      env: { PATH: [path, process.env.PATH ?? ""].join(delimiter) },
    });
  }

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)
    for (const [to, send] of [
      ["the whole terminal", (command: RunningCommand) => command.signal(signal)],
      ["itself alone", (command: RunningCommand) => command.signalLeader(signal)],
    ] as const)
      it(`ends npm with it on ${signal} to ${to}, and says in one line that the next start goes on`, async () => {
        const connected = once(server, "connection");
        const command = startWith(
          `import { connect } from "node:net"; connect(${JSON.stringify(join(copy, "socket"))});`,
        );
        const [npm] = (await connected) as [Socket];
        const gone = once(npm.resume(), "close");

        send(command);

        const exit = await command.exited;
        await gone;
        expect(exit.stderr).to.equal("quorate: stopped while installing; the same command goes on from there\n");
        expect(exit.code).to.equal(code);
      });

  it("ends with what npm said when npm fails", async () => {
    const { code, stderr } = await startWith(`console.error("npm error: no space"); process.exitCode = 7;`).exited;

    expect(stderr).to.equal("npm error: no space\nquorate: installing failed; the output above says why\n");
    expect(code).to.equal(1);
  });
});
