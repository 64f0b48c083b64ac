/** The service: accounts that belong to keys, coins that are moved and never made or lost but by the issuer, and a journal. */
import { bigint, defineService, integer, operation, Refusal, text } from "quorate/service";

const NAME = /^[a-z0-9-]{1,32}$/;
/** Of the journal in one answer. */
const ENTRIES_MAX = 100;

const account = (name) => `account/${name}`;
/** In the order of the numbers. */
const entry = (number) => `journal/${String(number).padStart(15, "0")}`;

function accountOf(state, name) {
  const found = state.get(account(name));
  if (found === undefined) throw new Refusal(`there is no account ${name}`);
  return found;
}

function move(state, name, change) {
  const { owner, balance } = accountOf(state, name);
  state.set(account(name), { owner, balance: balance + change });
}

function write(state, context, what) {
  const number = state.get("entries") ?? 0;
  state.set("entries", number + 1);
  state.set(entry(number), { number, atMs: context.timestampMs, ...what });
  return number;
}

function checkAmount(amount) {
  if (amount <= 0n) throw new Refusal(`expected an amount above 0, got ${amount}`);
}

export const service = defineService({
  /** An account of the key that asks. */
  open: operation([text], ({ state, context }, name) => {
    if (!NAME.test(name)) throw new Refusal("expected a name of 1 to 32 small letters, digits and dashes");
    if (state.get(account(name)) !== undefined) throw new Refusal(`${name} is taken`);
    state.set(account(name), { owner: context.client, balance: 0n });
    return write(state, context, { type: "opened", to: name });
  }),
  /** New coins. The key that makes the first ones is the issuer for ever. */
  issue: operation([text, bigint], ({ state, context }, to, amount) => {
    checkAmount(amount);
    const issuer = state.get("issuer") ?? context.client;
    if (issuer !== context.client) throw new Refusal("only the issuer makes coins");
    state.set("issuer", issuer);
    move(state, to, amount);
    state.set("supply", (state.get("supply") ?? 0n) + amount);
    return write(state, context, { type: "issued", to, amount });
  }),
  /** @returns the number of its entry in the journal. */
  transfer: operation([text, text, bigint], ({ state, context }, from, to, amount) => {
    checkAmount(amount);
    const { owner, balance } = accountOf(state, from);
    if (owner !== context.client) throw new Refusal(`${from} belongs to another key`);
    if (balance < amount) throw new Refusal(`${from} has ${balance}, not ${amount}`);
    // What was done is undone if there is no such account.
    move(state, from, -amount);
    move(state, to, amount);
    return write(state, context, { type: "moved", from, to, amount });
  }),
  balance: operation([text], ({ state }, name) => accountOf(state, name).balance),
  supply: operation([], ({ state }) => state.get("supply") ?? 0n),
  /** The journal from a number on. */
  journal: operation([integer], ({ state }, from) => {
    const entries = [];
    for (let number = Math.max(0, from); entries.length < ENTRIES_MAX; number++) {
      const found = state.get(entry(number));
      if (found === undefined) break;
      entries.push(found);
    }
    return entries;
  }),
});
