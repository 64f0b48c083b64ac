import { randomBytes } from "node:crypto";
import type { SignatureBackend } from "@quorate/crypto";
import type { ClusterId, LinkIdentity, Member, Membership, PublicKey } from "@quorate/protocol";
import { invariant } from "@quorate/protocol";
import type { Endpoint, LinkCredentials } from "@quorate/transport";
import type { FolderKeys } from "./folder-keys.ts";

export interface ReplicaEndpointOptions {
  readonly cluster: ClusterId;
  readonly backend: SignatureBackend;
  readonly keys: Pick<FolderKeys, "held" | "seedOf">;
  /** Of the latest epoch that is known. */
  readonly membership: () => Membership;
}

/** Who a replica is on its links: the member whose key it holds in the latest epoch that it knows, or an observer. */
export class ReplicaEndpoint implements Endpoint {
  readonly #o: ReplicaEndpointOptions;

  constructor(options: ReplicaEndpointOptions) {
    this.#o = options;
  }

  get cluster(): ClusterId {
    return this.#o.cluster;
  }

  get credentials(): LinkCredentials {
    const { member } = this;
    return member === undefined ? this.#asObserver() : this.#as({ role: "replica", ...idAndKeyOf(member) });
  }

  /** A listener is whom a dialer takes it for, if it has the key of that. */
  credentialsNamed(named: LinkIdentity): LinkCredentials | undefined {
    return named.role === "client" || this.#o.keys.seedOf(named.publicKey) === undefined ? undefined : this.#as(named);
  }

  /** The same replica as an observer, whoever it is. */
  get observing(): Endpoint {
    const asObserver = (): LinkCredentials => this.#asObserver();
    return {
      cluster: this.cluster,
      randomBytes: (length) => this.randomBytes(length),
      get credentials() {
        return asObserver();
      },
    };
  }

  /** Undefined: it is none in the latest epoch that is known. */
  get member(): Member | undefined {
    const { keys, membership } = this.#o;
    const held = keys.held.map(({ publicKey }) => publicKey);
    return membership().members.find(({ publicKey }) => held.includes(publicKey));
  }

  /** The key that it proves itself with now. */
  get key(): PublicKey {
    return this.credentials.identity.publicKey;
  }

  randomBytes(length: number): Uint8Array {
    return randomBytes(length);
  }

  /**
   * By which of its keys it would be let in, a replica that was away cannot tell where clients are listed: the old one may be nobody's
   * any more, the new one not in force yet. It proves now this one and now that.
   */
  #asObserver(): LinkCredentials {
    const { held } = this.#o.keys;
    const publicKey = held[(this.randomBytes(1)[0] ?? 0) % held.length]?.publicKey;
    invariant(publicKey !== undefined, "endpoint.no-key");
    return this.#as({ role: "observer", publicKey });
  }

  #as(identity: LinkIdentity): LinkCredentials {
    const { backend, keys } = this.#o;
    const seed = keys.seedOf(identity.publicKey);
    invariant(seed !== undefined, "endpoint.key-not-held", { role: identity.role });
    return {
      identity,
      sign: (preimage) => backend.sign(seed, preimage),
      verify: (publicKey, preimage, signature) => backend.verify(publicKey, preimage, signature),
      isAdmissible: (publicKey) => backend.isAdmissible(publicKey),
    };
  }
}

function idAndKeyOf({ id, publicKey }: Member): Pick<Member, "id" | "publicKey"> {
  return { id, publicKey };
}
