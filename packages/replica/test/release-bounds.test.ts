import { sequenceNumber, viewNumber } from "@quorate/protocol";
import { releaseBounds } from "@quorate/replica";
import { expect } from "chai";

const L = 8;

/** `[stable, view]` of each who answered; what follows as `[checkpoint, first view]`. */
function boundsOf(standings: readonly (readonly [number, number])[], quorum: number): [number, number] | undefined {
  const bounds = releaseBounds(
    standings.map(([stable, view]) => ({ stable: sequenceNumber(stable), view: viewNumber(view) })),
    quorum,
    L,
  );
  return bounds && [bounds.checkpoint, bounds.view];
}

describe("releaseBounds (protocol rule 8.5)", () => {
  for (const [title, quorum, standings, expected] of [
    ["nobody has answered", 3, [], undefined],
    [
      "one answer short of a quorum",
      3,
      [
        [0, 0],
        [0, 0],
      ],
      undefined,
    ],
    [
      "an idle cluster that never did anything",
      3,
      [
        [0, 0],
        [0, 0],
        [0, 0],
      ],
      [16, 2],
    ],
    [
      "n = 4: all three others are needed, and the highest of each counts",
      3,
      [
        [8, 1],
        [4, 7],
        [12, 0],
      ],
      [28, 9],
    ],
    [
      "checkpoint and view may be of different members",
      3,
      [
        [12, 0],
        [0, 5],
        [0, 0],
      ],
      [28, 7],
    ],
    [
      "n = 7, five answers: the highest of each",
      5,
      [
        [4, 1],
        [4, 2],
        [4, 3],
        [8, 4],
        [12, 5],
      ],
      [28, 7],
    ],
    [
      "n = 7, all six others: the highest of each no more",
      5,
      [
        [4, 1],
        [4, 2],
        [4, 3],
        [8, 4],
        [12, 5],
        [96, 999],
      ],
      [28, 7],
    ],
    [
      "n = 7, all six others: the sixth may as well be a low one",
      5,
      [
        [4, 1],
        [4, 2],
        [4, 3],
        [8, 4],
        [12, 5],
        [0, 0],
      ],
      [24, 6],
    ],
    [
      "in any order",
      5,
      [
        [12, 5],
        [4, 2],
        [96, 999],
        [4, 1],
        [8, 4],
        [4, 3],
      ],
      [28, 7],
    ],
    [
      "a liar among three names a view that never comes",
      3,
      [
        [0, 0],
        [0, 0],
        [0, 2 ** 53 - 1],
      ],
      undefined,
    ],
    [
      "a liar among six is passed over",
      5,
      [
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 0],
        [0, 2 ** 53 - 1],
      ],
      [16, 2],
    ],
  ] as const)
    it(title, () => {
      expect(boundsOf(standings, quorum)).to.deep.equal(expected);
    });

  it("is lowered by more answers, never raised", () => {
    const standings: [number, number][] = [
      [8, 3],
      [4, 2],
      [16, 9],
      [12, 4],
      [0, 0],
      [4, 1],
    ];
    let before = boundsOf(standings.slice(0, 3), 3);
    for (let count = 4; count <= standings.length; count++) {
      const after = boundsOf(standings.slice(0, count), 3);
      expect(after?.[0]).to.be.at.most(before?.[0] ?? 0);
      expect(after?.[1]).to.be.at.most(before?.[1] ?? 0);
      before = after;
    }
    expect(before).to.deep.equal([20, 4]);
  });
});
