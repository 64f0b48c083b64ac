import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const QUORATE = fileURLToPath(new URL("../bin/quorate.js", import.meta.url));

describe("a reader that goes, as head does", () => {
  it("does not make a command fail", async () => {
    const child = spawn(process.execPath, [QUORATE, "kv", "range", "--help"], { stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      complaint += text;
    });
    child.stdout.destroy();

    const [code] = await once(child, "close");

    expect({ code, complaint }).to.deep.equal({ code: 0, complaint: "" });
  });
});
