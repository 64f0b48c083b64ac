import { bytesToHex, type Change } from "@quorate/protocol";
import { createMemoryStore } from "@quorate/storage/memory";
import { expect } from "chai";
import { StoreFilling } from "../dist/backup/store-filling.js";

/** Every piece is more than a group. */
const GROUP_BYTES = 1;

const changeOf = (n: number): Change => ({ key: Uint8Array.of(n), value: Uint8Array.of(n, n) });
const entry = (n: number) => ({ state: [changeOf(n)], local: [] });
const page = (n: number) => ({ state: [], local: [changeOf(n)] });
const ALL = [Uint8Array.of(0), Uint8Array.of(255)] as const;

class Scene {
  store = createMemoryStore({ schedule: (complete) => void setImmediate(complete) });
  readonly filling = new StoreFilling(this.store, GROUP_BYTES);

  async fill(...pieces: readonly ReturnType<typeof entry | typeof page>[]): Promise<void> {
    for (const piece of pieces) {
      this.filling.add(piece);
      await this.filling.pause();
    }
  }

  get found(): { readonly state: string[]; readonly local: string[] } {
    const keysOf = (part: "state" | "local"): string[] =>
      [...this.store[part].range(...ALL)].map(([key]) => bytesToHex(key));
    return { state: keysOf("state"), local: keysOf("local") };
  }
}

describe("StoreFilling", () => {
  it("puts the first entries, and what comes before them, in their places, and lets all others wait, durably", async () => {
    const scene = new Scene();

    await scene.fill(page(9), entry(7), page(8), entry(3), entry(5));
    scene.store = scene.store.disk.crash();

    expect(scene.found, "a start sees that something is there").to.deep.equal({ state: ["07"], local: ["09"] });
    expect(scene.store.bulk.isEmpty).to.equal(false);
  });

  it("moves them to their places before the last group makes them a state", async () => {
    const scene = new Scene();
    await scene.fill(page(9), entry(7), page(8), entry(3), entry(5));

    await scene.filling.finish({ state: [changeOf(1)], local: [changeOf(2)] });

    expect(scene.found).to.deep.equal({ state: ["01", "03", "05", "07"], local: ["02", "08", "09"] });
    expect(scene.store.bulk.isEmpty).to.equal(true);
  });

  it("fills a store with little at once", async () => {
    const scene = new Scene();
    await scene.filling.finish(entry(1));
    expect(scene.found).to.deep.equal({ state: ["01"], local: [] });
  });
});
