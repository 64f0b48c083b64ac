import assert from "node:assert/strict";
import type { Change, KeyReader } from "@quorate/protocol";
import { KEY_BYTES_MAX } from "../ports.ts";
import { bytes, flushed, type StoreSubject, type Suite, text } from "./subject.ts";

/** What the state and the local store must do. */
export function describeOrderedStores({ describe, it }: Suite, subject: StoreSubject): void {
  describe("the ordered stores", () => {
    it("read a write at once, after its flush and after a restart", async () => {
      const store = await subject.create({});
      store.state.write([put("a", "1"), put("", "empty key"), put("b", "")]);
      const expected = ["=empty key", "a=1", "b="];

      assert.deepEqual(all(store.state), expected);
      await flushed(store);
      assert.deepEqual(all(store.state), expected);
      assert.equal(text(store.state.get(bytes(""))), "empty key");
      assert.equal(text(store.state.get(bytes("b"))), "");
      const again = await subject.reopen(store);
      assert.deepEqual(all(again.state), expected);
      await again.close();
    });

    it("take the last of several changes of one key", async () => {
      const store = await subject.create({});
      store.state.write([put("a", "1"), remove("a"), put("b", "1"), put("b", "2"), put("c", "1"), remove("c")]);

      const again = await subject.reopen(store);
      assert.deepEqual(all(again.state), ["b=2"]);
      await again.close();
    });

    it("merge what is durable with what is not, deletions included", async () => {
      const store = await subject.create({});
      store.state.write(["b", "d", "f", "h"].map((key) => put(key, "old")));
      await flushed(store);
      store.state.write([put("a", "new"), put("d", "new"), remove("f"), put("g", "new"), remove("h"), put("z", "new")]);
      const merged = ["a=new", "b=old", "d=new", "g=new", "z=new"];

      assert.deepEqual(all(store.state), merged);
      assert.equal(store.state.get(bytes("f")), undefined);
      const again = await subject.reopen(store);
      assert.deepEqual(all(again.state), merged);
      await again.close();
    });

    it("give ranges with the lower bound and without the upper one", async () => {
      const store = await subject.create({});
      store.state.write(["\x00", "a", "ab", "b", "\xff", "\xff\xff"].map((key) => put(key, "")));

      assert.deepEqual(range(store.state, "a", "b"), ["a=", "ab="]);
      assert.deepEqual(range(store.state, "aa", "b\x00"), ["ab=", "b="]);
      assert.deepEqual(range(store.state, "b", undefined), ["b=", "\xff=", "\xff\xff="]);
      assert.deepEqual(range(store.state, "b", "a"), []);
      assert.deepEqual(range(store.state, "b", "b"), []);
      await flushed(store);
      assert.deepEqual(range(store.state, "b", "\xff\xff"), ["b=", "\xff="]);
      await store.close();
    });

    it("keep state and local apart and write both in one group", async () => {
      const store = await subject.create({});
      store.writeAtomically({ state: [put("k", "state")], local: [put("k", "local")] });
      store.local.write([put("l", "local")]);

      const again = await subject.reopen(store);
      assert.deepEqual(all(again.state), ["k=state"]);
      assert.deepEqual(all(again.local), ["k=local", "l=local"]);
      await again.close();
    });

    it("take keys of the greatest length and refuse longer ones before anything is written", async () => {
      const store = await subject.create({});
      const longest = new Uint8Array(KEY_BYTES_MAX).fill(255);
      store.state.write([{ key: longest, value: bytes("x") }]);
      const tooLong = { key: new Uint8Array(KEY_BYTES_MAX + 1), value: bytes("y") };

      assert.throws(() => store.state.write([put("a", "1"), tooLong]), { code: "storage.key-too-long" });
      const again = await subject.reopen(store);
      assert.equal(text(again.state.get(longest)), "x");
      assert.equal(again.state.get(bytes("a")), undefined);
      await again.close();
    });
  });
}

function put(key: string, value: string): Change {
  return { key: bytes(key), value: bytes(value) };
}

function remove(key: string): Change {
  return { key: bytes(key), value: undefined };
}

function range(store: KeyReader, from: string, to: string | undefined): string[] {
  const bounds = [bytes(from), to === undefined ? undefined : bytes(to)] as const;
  const found = [...store.range(...bounds)].map(([key, value]) => [text(key), text(value)] as const);
  assert.deepEqual(
    [...store.keys(...bounds)].map(text),
    found.map(([key]) => key),
    "the keys of the range",
  );
  return found.map(([key, value]) => `${key}=${value}`);
}

function all(store: KeyReader): string[] {
  return range(store, "", undefined);
}
