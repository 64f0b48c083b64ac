import { bytesToCheckpointNumber, checkpointNumberToBytes, checkpointSpacing, sequenceNumber } from "@quorate/protocol";
import { expect } from "chai";

describe("the number of a checkpoint in a result", () => {
  for (const number of [0, 1, 255, 256, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER])
    it(`is read back as it was written: ${number}`, () => {
      const bytes = checkpointNumberToBytes(sequenceNumber(number));

      expect(bytes).to.have.length(8);
      expect(bytesToCheckpointNumber(bytes)).to.equal(number);
    });

  it("is none in bytes of another length, and none that is no counter", () => {
    for (const bytes of [[], [1], [0, 0, 0, 0, 0, 0, 1], [0, 0, 0, 0, 0, 0, 0, 0, 1], [0, 0x20, 0, 0, 0, 0, 0, 0]])
      expect(bytesToCheckpointNumber(Uint8Array.from(bytes)), `${bytes}`).to.equal(undefined);
    expect(bytesToCheckpointNumber(new Uint8Array(8).fill(0xff))).to.equal(undefined);
  });
});

describe("the distance between checkpoints that are ordered", () => {
  it("is a quarter of K, rounded up", () => {
    const spacings = [1, 2, 3, 4, 5, 8, 9, 128].map((checkpointInterval) => checkpointSpacing({ checkpointInterval }));

    expect(spacings).to.deep.equal([1, 1, 1, 1, 2, 2, 3, 32]);
  });
});
