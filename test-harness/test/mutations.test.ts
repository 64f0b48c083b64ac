import { digest, epochNumber, type Prepare, type Request, sequenceNumber, viewNumber } from "@quorate/protocol";
import {
  counter,
  FRAME_MUTATIONS,
  fields,
  hex32,
  isOfOtherEpochs,
  listOf,
  Marks,
  type Mutation,
  Mutator,
  mutationCoverage,
  oneOf,
  Prng,
  possibleSignature,
  REQUEST_MUTATIONS,
  text,
} from "@quorate/test-harness";
import { expect } from "chai";

const PREPARE: Prepare = {
  type: "prepare",
  epoch: epochNumber(0),
  view: viewNumber(1),
  seq: sequenceNumber(7),
  digest: digest("ab".repeat(32)),
};
const REQUEST: Request = {
  type: "operations",
  client: "cd".repeat(32) as Request["client"],
  session: "ef".repeat(32) as Extract<Request, { type: "operations" }>["session"],
  number: 3 as Extract<Request, { type: "operations" }>["number"],
  operations: [Uint8Array.of(1), Uint8Array.of(2, 3)],
  signature: new Uint8Array(64).fill(5),
};
const DRAWS = 50;

const pathsOf = <T>(mutations: readonly Mutation<T>[]): string[] => mutations.map(({ path }) => path);

describe("Mutations of messages", () => {
  it("do not compile when a field of a message, or a type of a union, is not listed", () => {
    // @ts-expect-error the digest is missing
    const prepare = fields<Prepare>({ epoch: counter(), view: counter(), seq: counter() });
    // @ts-expect-error registrations are missing
    const request = oneOf<Request>({ operations: [] });

    expect(pathsOf(prepare)).to.deep.equal(["epoch", "view", "seq"]);
    expect(request).to.deep.equal([]);
  });

  it("change one field, and change it always", () => {
    const mutations = fields<Prepare>({ epoch: counter(), view: counter(), seq: counter(), digest: hex32() });
    const prng = new Prng("mutations");

    for (const { path, mutate } of mutations)
      for (let draw = 0; draw < DRAWS; draw++) {
        const changed = mutate(PREPARE, { prng }) ?? expect.fail(path);
        const names = (["type", "epoch", "view", "seq", "digest"] as const).filter(
          (name) => changed[name] !== PREPARE[name],
        );
        expect(names, path).to.deep.equal([path]);
        expect(Number.isSafeInteger(changed.seq) && changed.seq >= 0, `${changed.seq} is a counter`).to.equal(true);
      }
  });

  it("reach into lists: their length and order, and each element", () => {
    const mutations = listOf<number>(counter());
    const prng = new Prng("lists");

    expect(pathsOf(mutations)).to.deep.equal(["", "[]"]);
    expect(mutations.map(({ mutate }) => mutate([], { prng }))).to.deep.equal([undefined, undefined]);
    const drawn = Array.from({ length: DRAWS }, () => mutations[0]?.mutate([1, 2], { prng })?.join());
    expect([...new Set(drawn)].sort()).to.deep.equal(["", "1", "1,1,2", "1,2,2", "2", "2,1"]);
  });

  it("are drawn by the type of the value, those that were drawn least before the others", () => {
    const mutator = new Mutator(REQUEST_MUTATIONS, new Prng("mutator"));
    const ofOperations = pathsOf(REQUEST_MUTATIONS).filter((path) => path.startsWith("operations."));

    const drawn = Array.from({ length: DRAWS }, () => mutator.mutate(REQUEST.type, REQUEST)?.path);

    expect([...new Set(drawn)].sort()).to.deep.equal([...ofOperations].sort());
    expect(mutator.mutate("no such type", REQUEST)).to.equal(undefined);
  });

  it("know the fields of what is sent only where the members change", () => {
    const { never: all } = mutationCoverage(new Marks());
    const others = all.filter(isOfOtherEpochs);

    expect(others).to.include.members([
      "byzantine: mutated request.request.reconfiguration.change.join.member.address",
      "byzantine: mutated pre-prepare.batch.requests.[].reconfiguration.approvals.[].key",
      "byzantine: mutated fetch-epochs.fetch.above",
      "byzantine: mutated epoch-links.links",
      "byzantine: mutated fetch-history.fetch.last",
      "byzantine: mutated epoch-links.links.[].proof.slots",
      "faulty client: mutated reconfiguration.possession",
    ]);
    for (const type of ["operations", "registration", "checkpoint"])
      expect(others.filter((mark) => mark.includes(`${type}.`) && !mark.includes("reconfiguration."))).to.deep.equal(
        [],
      );
    expect(others).to.have.length.lessThan(all.length);
  });

  it("leave a missing signature missing, and text text", () => {
    const prng = new Prng("text");
    const [possible] = possibleSignature();
    expect(possible?.mutate(new Uint8Array(0), { prng })).to.equal(undefined);
    expect(possible?.mutate(new Uint8Array(64), { prng })).to.have.length(64);
    for (let draw = 0; draw < DRAWS; draw++)
      for (const value of ["", "host:1"]) expect(text()[0]?.mutate(value, { prng })).to.be.a("string").not.equal(value);
  });

  it("name the fields that a campaign never mutated", () => {
    const marks = new Marks();
    const { fields: all, never } = mutationCoverage(marks);
    expect(never).to.have.length(all).and.to.have.length.greaterThan(FRAME_MUTATIONS.length);

    marks.add("byzantine: mutated committed.entry.certificate.view");

    expect(mutationCoverage(marks).never).to.have.length(all - 1);
  });
});
