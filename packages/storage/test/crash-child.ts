/** Writes without end and says on stdout what has been acknowledged, until it is killed or a flush fails. */
import { writeSync } from "node:fs";
import { sequenceNumber } from "@quorate/protocol";
import { openStore, type ReplicaStore } from "@quorate/storage";
import { IDENTITY } from "./identity.ts";

const [path = "", recordBytes = "400", durability] = process.argv.slice(2);
const IN_FLIGHT = 8;
const KEPT = 500;
const REST_EVERY = 7;

const store = openStore(path, IDENTITY, { durability: durability === "async" ? "async" : "sync" });
// Not from what was applied: this process, unlike a replica, applies before the log is flushed, so a kill may leave that ahead.
let written = 0;
for (const { seq } of store.log.entries()) written = Math.max(written, seq);
for (let i = 0; i < IN_FLIGHT; i++) writeNext(store);

function writeNext({ log, history }: ReplicaStore): void {
  const seq = sequenceNumber(++written);
  const value = Buffer.from(String(seq));
  log.append(seq, Buffer.alloc(Number(recordBytes), seq % 251));
  if (seq % 100 === 0 && seq > KEPT) log.cut(sequenceNumber(seq - KEPT));
  history.put(seq, value);
  store.writeAtomically({
    state: [
      { key: Buffer.from("a"), value },
      { key: Buffer.from("z"), value },
    ],
    local: [{ key: Buffer.from("applied"), value }],
  });
  // As a replica does: the log at each step, the rest now and then.
  const flush: ReplicaStore["flush"] = (done) => (seq % REST_EVERY === 0 ? store.flush(done) : store.flushLog(done));
  flush((failure) => {
    if (failure === undefined) {
      writeSync(1, `${seq} ${seq % REST_EVERY === 0 ? "all" : "log"}\n`);
      writeNext(store);
    } else {
      store.flush((again) => {
        writeSync(1, `failed ${failure.code} ${again?.code} ${again?.message === failure.message}\n`);
        process.exit(0);
      });
    }
  });
}
