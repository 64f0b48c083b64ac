import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { readInstallation, writeInstallation } from "../dist/installation-record.js";
import { codec, digestOf, epoch, seqOf } from "./builders.ts";

describe("the record of an installation", () => {
  it("reads back as it was written, until it is removed", () => {
    const { local } = createMemoryStore();
    expect(readInstallation(local, codec)).to.equal(undefined);
    for (const distrustsEntries of [false, true]) {
      const target = { epoch, seq: seqOf(8), stateRoot: digestOf("root"), signatures: [] };
      writeInstallation(local, codec, { target, distrustsEntries });
      expect(readInstallation(local, codec)).to.deep.equal({ target, distrustsEntries });
    }
    writeInstallation(local, codec, undefined);
    expect(readInstallation(local, codec)).to.equal(undefined);
  });
});
