import { TcpProxy } from "./tcp-proxy.ts";

const PRELOADED = new URL("../../bin/redirect-dials.js", import.meta.url).href;

/** A proxy for everything that some processes may dial, each with its own: a network that can be cut link by link. */
export class ProxiedLinks {
  readonly #proxies = new Map<string, ReadonlyMap<string, TcpProxy>>();

  private constructor() {}

  /** @param dials by the name of who dials, the addresses (`host:port`) that it may dial. */
  static async make(dials: Readonly<Record<string, readonly string[]>>): Promise<ProxiedLinks> {
    const links = new ProxiedLinks();
    for (const [dialer, addresses] of Object.entries(dials)) {
      const proxies = new Map<string, TcpProxy>();
      for (const address of addresses) proxies.set(address, await TcpProxy.to(address));
      links.#proxies.set(dialer, proxies);
    }
    return links;
  }

  /** What stands between this dialer and this address. */
  proxy(dialer: string, address: string): TcpProxy {
    const proxy = this.#proxies.get(dialer)?.get(address);
    if (proxy === undefined) throw new Error(`${dialer} does not dial ${address} here`);
    return proxy;
  }

  /** The environment of a process that dials through its proxies. */
  environmentOf(dialer: string): Readonly<Record<string, string>> {
    const { NODE_OPTIONS = "" } = process.env;
    const table = [...(this.#proxies.get(dialer) ?? [])].map(([address, proxy]) => [address, proxy.address]);
    return {
      NODE_OPTIONS: `${NODE_OPTIONS} --import ${PRELOADED}`,
      QUORATE_REDIRECTED_DIALS: JSON.stringify(Object.fromEntries(table)),
    };
  }

  async close(): Promise<void> {
    const all = [...this.#proxies.values()].flatMap((proxies) => [...proxies.values()]);
    await Promise.all(all.map((proxy) => proxy.close()));
  }
}
