/**
 * What the page of `browser.process.test.ts` runs: the client from the one file for browsers, and what the test asks of it by
 * `globalThis.page`. Values go back and forth as JSON.
 */
import {
  connect,
  createNobleBackend,
  encodeKvOperation,
  type Genesis,
  KvClient,
  type QuorateClient,
  type ReceiptProof,
  receiptFault,
} from "quorate/browser";

/** A signature at the edge, in hex. */
export interface PageVector {
  readonly publicKey: string;
  readonly message: string;
  readonly signature: string;
}

/** What became of a receipt in the page. */
export interface PageReceipt {
  readonly signers: readonly number[];
  /** Of the receipt as it came. */
  readonly fault: unknown;
  /** With one bit flipped: what is said of each of them. */
  readonly flipped: Readonly<Record<string, unknown>>;
  /** With one bit flipped in each byte of the first signature. */
  readonly signatureFaults: readonly unknown[];
}

/** What the test may ask of the page. */
export interface Page {
  count(genesis: Genesis, times: number): Promise<{ sums: number[]; greeting: string | undefined }>;
  receipt(genesis: Genesis): Promise<PageReceipt>;
  verdicts(vectors: readonly PageVector[]): { valid: boolean; admissible: boolean }[];
  evaluate(): string;
}

const bytesOf = (hex: string): Uint8Array =>
  Uint8Array.from(hex.match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
const flipByte = (bytes: Uint8Array, at: number): Uint8Array =>
  bytes.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte));
/** One bit of a number in hex. */
const flipHex = <T extends string>(hex: T): T =>
  ((Number.parseInt(hex[0] ?? "", 16) ^ 1).toString(16) + hex.slice(1)) as T;

async function withClient<T>(genesis: Genesis, run: (client: QuorateClient) => Promise<T>): Promise<T> {
  const client = connect({ genesis });
  try {
    return await run(client);
  } finally {
    client.close();
  }
}

function flippedOnce({ receipt, links }: ReceiptProof): Record<string, ReceiptProof> {
  const { statement, results, signatures } = receipt;
  const [result, signed] = [results[0], signatures[0]];
  if (result === undefined || signed === undefined) throw new Error("the receipt is empty");
  const next = <N extends number>(number: N): N => (number ^ 1) as N;
  const changes: Record<string, Partial<typeof receipt>> = {
    result: { results: [{ ...result, value: flipByte(result.value, 0) }] },
    session: { session: flipHex(receipt.session) },
    number: { number: next(receipt.number) },
    requestDigest: { requestDigest: flipHex(receipt.requestDigest) },
    outputsRoot: { statement: { ...statement, outputsRoot: flipHex(statement.outputsRoot) } },
    historyDigest: { statement: { ...statement, historyDigest: flipHex(statement.historyDigest) } },
    seq: { statement: { ...statement, seq: next(statement.seq) } },
    epoch: { statement: { ...statement, epoch: next(statement.epoch) } },
  };
  return Object.fromEntries(
    Object.entries(changes).map(([name, change]) => [name, { receipt: { ...receipt, ...change }, links }]),
  );
}

function signatureFaults({ receipt, links }: ReceiptProof, genesis: Genesis): unknown[] {
  const [first, ...others] = receipt.signatures;
  if (first === undefined) throw new Error("the receipt is empty");
  return Array.from(first.signature, (_, at) => {
    const signatures = [{ ...first, signature: flipByte(first.signature, at) }, ...others];
    return receiptFault({ receipt: { ...receipt, signatures }, links }, genesis);
  });
}

const page: Page = {
  count: (genesis, times) =>
    withClient(genesis, async (client) => {
      const store = new KvClient(client);
      const sums: number[] = [];
      await store.put("greeting", "hello from Chromium");
      for (let i = 0; i < times; i++) sums.push(Number(await store.increment("counter")));
      return { sums, greeting: await store.getText("greeting") };
    }),
  receipt: (genesis) =>
    withClient(genesis, async (client) => {
      const key = new TextEncoder().encode("greeting");
      const { receipt } = await client.execute(encodeKvOperation({ type: "get", key }));
      if (receipt === undefined) throw new Error("the replicas that agreed had signed it at different places");
      const proof = client.proofOf(receipt);
      const flipped = Object.entries(flippedOnce(proof)).map(([name, one]) => [name, receiptFault(one, genesis)]);
      return {
        signers: receipt.signatures.map(({ from }) => from),
        fault: receiptFault(proof, genesis) ?? "none",
        flipped: Object.fromEntries(flipped),
        signatureFaults: signatureFaults(proof, genesis),
      };
    }),
  verdicts: (vectors) => {
    const backend = createNobleBackend();
    return vectors.map(({ publicKey, message, signature }) => {
      const key = publicKey as Parameters<typeof backend.isAdmissible>[0];
      return {
        valid: backend.verify(key, bytesOf(message), bytesOf(signature)),
        admissible: backend.isAdmissible(key),
      };
    });
  },
  evaluate: () => {
    try {
      return `ran: ${new Function("return 1")()}`;
    } catch (error) {
      return error instanceof Error ? error.name : "threw";
    }
  },
};

/** What a debugger evaluates is exempt from the content security policy, a task of the page's own is not. */
function inOwnTask(run: (...args: never[]) => unknown): (...args: never[]) => Promise<unknown> {
  return (...args) =>
    new Promise((resolve, reject) => {
      setTimeout(() => new Promise((settle) => settle(run(...args))).then(resolve, reject));
    });
}
Object.assign(globalThis, {
  page: Object.fromEntries(Object.entries(page).map(([name, run]) => [name, inOwnTask(run)])),
});
