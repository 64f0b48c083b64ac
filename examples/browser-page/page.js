/**
 * The page: a client of the cluster that runs in it. It asks all replicas by itself, and verifies every signature by itself; the server
 * that it came from is asked for nothing but these files and the genesis document.
 */
import { connect, decodeKvResult, encodeKvOperation, QuorateError, receiptFault } from "./quorate.js";

const text = new TextDecoder();
const bytesOf = (string) => new TextEncoder().encode(string);
const element = (id) => document.getElementById(id);
const say = (id, words) => {
  element(id).textContent = words;
};

const genesis = await (await fetch("genesis.json")).json();
const client = connect({ genesis, scheme: location.protocol === "https:" ? "wss:" : "ws:" });
/** The receipt of the last answer, with what proves to anybody who its signers were. */
let proof;

say("cluster", `${genesis.members.length} replicas: ${genesis.members.map(({ address }) => address).join(", ")}`);
element("note").addEventListener("submit", (event) => {
  event.preventDefault();
  const form = new FormData(event.target, event.submitter);
  ask(operationOf(form.get("action"), bytesOf(form.get("key")), bytesOf(form.get("value"))));
});
element("check").addEventListener("click", () => judge(proof));
element("forge").addEventListener("click", () => judge(forged(proof)));

function operationOf(action, key, value) {
  return action === "put" ? { type: "put", key, value } : { type: "get", key };
}

async function ask(operation) {
  say("answer", "…");
  say("verdict", "");
  try {
    const { result, seq, receipt } = await client.execute(encodeKvOperation(operation), { timeoutMs: 10_000 });
    say("answer", result.status === "ok" ? wordsFor(operation, result.value) : `Refused: ${text.decode(result.value)}`);
    show(receipt, seq);
  } catch (error) {
    // The message says whether it may have had an effect.
    if (!(error instanceof QuorateError)) throw error;
    say("answer", `${error.code}: ${error.message}`);
  }
}

function wordsFor(operation, bytes) {
  const result = decodeKvResult(operation, bytes);
  if (operation.type === "put") return result.replaced ? "Written over what was there." : "Written.";
  return result.value === undefined ? "Nothing is there." : text.decode(result.value);
}

function show(receipt, seq) {
  proof = receipt && client.proofOf(receipt);
  for (const id of ["check", "forge"]) element(id).disabled = proof === undefined;
  const signers = receipt?.signatures.map(({ from }) => `replica ${from}`).join(" and ");
  say(
    "receipt",
    signers
      ? `Executed as batch ${seq}; ${signers} signed that.`
      : "Those that agreed had signed it at different places.",
  );
}

/** Judges with nothing but the genesis document, as anybody could whom it is shown to. */
function judge(shown) {
  const fault = receiptFault(shown, genesis);
  say("verdict", fault === undefined ? "Proven by the genesis document." : `Proves nothing: ${fault.fault}.`);
}

/** The same with one bit of the first result flipped. */
function forged({ receipt, links }) {
  const [first, ...others] = receipt.results;
  const value = Uint8Array.from(first.value);
  value[value.length - 1] ^= 1;
  return { receipt: { ...receipt, results: [{ ...first, value }, ...others] }, links };
}
