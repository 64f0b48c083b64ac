import { spawnSync } from "node:child_process";
import { expect } from "chai";

const SCRIPT = `
import { createLogger } from "quorate";
let replica = "observer";
const log = createLogger("info", () => ({ replica }));
log.info("follows");
replica = 4;
log.info({ epoch: 1 }, "votes");
log.info({ replica: 5 }, "of another");
`;

describe("the log of a replica", () => {
  it("says with each line who it is at that moment, once", () => {
    const { stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", SCRIPT], {
      cwd: new URL("..", import.meta.url),
      encoding: "utf8",
    });
    const lines = stderr.trim().split("\n");
    expect(lines.map((line) => [line.match(/"replica"/g)?.length, JSON.parse(line).replica])).to.deep.equal([
      [1, "observer"],
      [1, 4],
      [1, 5],
    ]);
  });
});
