import {
  checkGenesis,
  DEFAULT_LIMITS,
  DEFAULT_TIMEOUTS,
  digest,
  type Genesis,
  GenesisError,
  genesisMembership,
  LIMITS_BOUNDS,
  type Limits,
  MEMBERS_MAX,
  type RestoredState,
  ROTATE_EVERY_BATCHES_MAX,
  replicaId,
  TIMEOUTS_BOUNDS,
  type Timeouts,
  WINDOW_SIZE_MAX,
} from "@quorate/protocol";
import { expect } from "chai";
import { genesisWith, keyOf, membersOf, memberWith } from "./builders.ts";

function restoredWith(changes: object): RestoredState {
  const root = digest("ab".repeat(32));
  return {
    cluster: "cd".repeat(32),
    checkpoint: 1,
    applicationRoot: root,
    entries: 1,
    timestampMs: 0,
    ...changes,
  } as RestoredState;
}

interface Refusal {
  readonly what: string;
  readonly changes: Partial<Genesis>;
  /** What the message must name, so that its reader knows what to change. */
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  { what: "three members", changes: { members: membersOf(3) }, says: /4 to 64 members.* names 3/ },
  {
    what: "a restored state of checkpoint 0",
    changes: { restored: restoredWith({ checkpoint: 0 }) },
    says: /restored.checkpoint is 0/,
  },
  {
    what: "a restored state of half an entry",
    changes: { restored: restoredWith({ entries: 0.5 }) },
    says: /restored.entries is 0.5/,
  },
  {
    what: "a restored state without entries that has a root",
    changes: { restored: restoredWith({ entries: 0 }) },
    says: /restored.entries is 0, which does not go with/,
  },
  {
    what: "a restored state of no time",
    changes: { restored: restoredWith({ timestampMs: -1 }) },
    says: /restored.timestampMs is -1/,
  },
  { what: "no members", changes: { members: [] }, says: /names 0/ },
  {
    what: "more members than a cluster may have",
    changes: { members: membersOf(MEMBERS_MAX + 1) },
    says: /names 65/,
  },
  {
    what: "two members of one id",
    changes: { members: [...membersOf(4), { ...memberWith(9), id: replicaId(2) }] },
    says: /share the id 2/,
  },
  {
    what: "two members of one key",
    changes: { members: [...membersOf(4), { ...memberWith(9), publicKey: keyOf(0x1002) }] },
    says: new RegExp(`share the publicKey ${keyOf(0x1002)}`),
  },
  {
    what: "two members of one address",
    changes: { members: [...membersOf(4), { ...memberWith(9), address: "10.0.0.2:4000" }] },
    says: /share the address 10\.0\.0\.2:4000/,
  },
  {
    what: "an admin key listed twice",
    changes: { admins: { threshold: 1, keys: [keyOf(1), keyOf(1)] } },
    says: /admin key .* twice/,
  },
  {
    what: "an admin threshold of none",
    changes: { admins: { threshold: 0, keys: [keyOf(1)] } },
    says: /threshold is 0, expected 1 to 1/,
  },
  {
    what: "an admin threshold above the number of keys",
    changes: { admins: { threshold: 3, keys: [keyOf(1), keyOf(2)] } },
    says: /threshold is 3, expected 1 to 2/,
  },
  {
    what: "more admin keys than a change could name",
    changes: { admins: { threshold: 1, keys: Array.from({ length: 65 }, (_, i) => keyOf(i + 1)) } },
    says: /names 65 admin keys, expected at most 64/,
  },
  { what: "no admin key", changes: { admins: { threshold: 1, keys: [] } }, says: /threshold is 1/ },
  { what: "a client key listed twice", changes: { clients: [keyOf(5), keyOf(5)] }, says: /client key .* twice/ },
  { what: "half an admin", changes: { admins: { threshold: 1.5, keys: [keyOf(1), keyOf(2)] } }, says: /is 1\.5/ },
  { what: "a threshold that is no number", changes: { admins: { threshold: NaN, keys: [keyOf(1)] } }, says: /is NaN/ },
  { what: "a name beyond its limit", changes: { name: "x".repeat(65) }, says: /name has 65 characters/ },
  { what: "half a checkpoint interval", changes: { checkpointInterval: 1.5, windowSize: 3 }, says: /is 1\.5/ },
  { what: "an endless window", changes: { checkpointInterval: 1, windowSize: Infinity }, says: /is Infinity/ },
  { what: "a checkpoint interval of none", changes: { checkpointInterval: 0 }, says: /checkpointInterval is 0/ },
  { what: "a rotation backwards", changes: { rotateEveryBatches: -1 }, says: /rotateEveryBatches is -1, expected an/ },
  { what: "half a rotation", changes: { rotateEveryBatches: 0.5 }, says: /rotateEveryBatches is 0\.5/ },
  {
    what: "a rotation beyond its limit",
    changes: { rotateEveryBatches: ROTATE_EVERY_BATCHES_MAX + 1 },
    says: /rotateEveryBatches is 4294967297/,
  },
  {
    what: "a window below two checkpoint intervals",
    changes: { checkpointInterval: 64, windowSize: 64 },
    says: /windowSize is 64, expected .* at least 128/,
  },
  {
    what: "a window that is no multiple of the checkpoint interval",
    changes: { checkpointInterval: 64, windowSize: 200 },
    says: /windowSize is 200, expected a multiple of checkpointInterval 64/,
  },
  {
    what: "a window beyond its limit",
    changes: { checkpointInterval: 64, windowSize: WINDOW_SIZE_MAX + 64 },
    says: /expected at most 2048/,
  },
  {
    what: "a request that fits into no batch",
    changes: { limits: { ...DEFAULT_LIMITS, requestBytesMax: 4096, batchBytesMax: 2048 } },
    says: /requestBytesMax is greater than limits\.batchBytesMax/,
  },
  {
    what: "a window that could take too much memory",
    changes: { windowSize: WINDOW_SIZE_MAX },
    says: /windowSize times limits\.batchBytesMax is 2147483648, expected at most 1073741824/,
  },
  {
    what: "a time-out of views that is to end below its beginning",
    changes: { timeouts: { ...DEFAULT_TIMEOUTS, viewChangeMs: 2_000, viewChangeMaxMs: 1_999 } },
    says: /viewChangeMaxMs is 1999, expected at least viewChangeMs 2000/,
  },
  {
    what: "a request with more operations than a batch",
    changes: { limits: { ...DEFAULT_LIMITS, requestOperationsMax: 65, batchOperationsMax: 64 } },
    says: /requestOperationsMax is greater than limits\.batchOperationsMax/,
  },
];

describe("A genesis document", () => {
  it("with the defaults is accepted", () => {
    expect(() => checkGenesis(genesisWith())).to.not.throw();
  });

  it("with a list of clients, the most members or the widest window is accepted", () => {
    expect(() => checkGenesis(genesisWith({ clients: [keyOf(5), keyOf(6)], name: "x".repeat(64) }))).to.not.throw();
    expect(() => checkGenesis(genesisWith({ members: membersOf(MEMBERS_MAX) }))).to.not.throw();
    const limits = { ...DEFAULT_LIMITS, batchBytesMax: 512 * 1024 };
    expect(() => checkGenesis(genesisWith({ windowSize: WINDOW_SIZE_MAX, limits }))).to.not.throw();
  });

  for (const { what, changes, says } of REFUSALS)
    it(`is refused for ${what}, in a sentence that names it`, () => {
      expect(() => checkGenesis(genesisWith(changes)))
        .to.throw(GenesisError, says)
        .with.property("code", "genesis.inconsistent");
    });

  for (const field of Object.keys(LIMITS_BOUNDS) as (keyof Limits)[])
    it(`keeps limits.${field} within its bounds`, () => {
      expectBounds(LIMITS_BOUNDS[field], `limits.${field}`, (value) => ({
        checkpointInterval: 1,
        windowSize: 2,
        // A batch as large as can be, so that the bound itself and not its relation to the batch is judged.
        limits: {
          ...DEFAULT_LIMITS,
          ...(field === "batchBytesMax" ? { requestBytesMax: 1024 } : { batchBytesMax: 16 * 1024 * 1024 }),
          ...(field === "batchOperationsMax" ? { requestOperationsMax: 1 } : { batchOperationsMax: 1_000_000 }),
          [field]: value,
        },
      }));
    });

  for (const field of Object.keys(TIMEOUTS_BOUNDS) as (keyof Timeouts)[])
    it(`keeps timeouts.${field} within its bounds`, () => {
      expectBounds(TIMEOUTS_BOUNDS[field], `timeouts.${field}`, (value) => ({
        timeouts: {
          ...DEFAULT_TIMEOUTS,
          // The bound itself is judged, not the relation of the two.
          ...(field === "viewChangeMs" && { viewChangeMaxMs: TIMEOUTS_BOUNDS.viewChangeMaxMs[1] }),
          ...(field === "viewChangeMaxMs" && { viewChangeMs: TIMEOUTS_BOUNDS.viewChangeMs[0] }),
          [field]: value,
        },
      }));
    });

  it("begins epoch 0 with its members in order", () => {
    const membership = genesisMembership(genesisWith({ members: membersOf(5).reverse() }));

    expect(membership.epoch).to.equal(0);
    expect(membership.members).to.deep.equal(membersOf(5));
  });
});

function expectBounds(
  [least, greatest]: readonly [number, number],
  name: string,
  changesOf: (value: number) => Partial<Genesis>,
): void {
  for (const value of [least, greatest])
    expect(() => checkGenesis(genesisWith(changesOf(value))), `${name} = ${value}`).to.not.throw();
  for (const value of [least - 1, greatest + 1, least + 0.5, Number.NaN, "1" as unknown as number])
    expect(() => checkGenesis(genesisWith(changesOf(value))), `${name} = ${value}`).to.throw(GenesisError, name);
}
