import type { Member, Membership, ReplicaId } from "@quorate/protocol";
import type { FramedLink, PersistentLink, TransportError } from "@quorate/transport/client";

/** What links to members tell. Nothing is told of a link that was given up. */
export interface MemberLinkHandlers {
  onUp(replica: ReplicaId): void;
  onDown(member: Member, reason: TransportError): void;
  onFrame(from: ReplicaId, bytes: Uint8Array): void;
}

/** What one link tells. */
export interface LinkCalls {
  onUp(link: Pick<FramedLink, "peer">): void;
  onDown(reason: TransportError): void;
  onFrame(bytes: Uint8Array): void;
}

interface MemberLink {
  readonly member: Member;
  /** Undefined while it is made, and where nothing can be dialed. */
  link: PersistentLink | undefined;
}

/** The links of a client to the members of the current epoch, each of which is dialed for ever. */
export class MemberLinks {
  readonly #dial: (member: Member, calls: LinkCalls) => PersistentLink;
  readonly #handlers: MemberLinkHandlers;
  readonly #links = new Map<ReplicaId, MemberLink>();
  /** Why there is no link to a replica, for people. */
  readonly #downReasons = new Map<ReplicaId, string>();

  constructor(dial: (member: Member, calls: LinkCalls) => PersistentLink, handlers: MemberLinkHandlers) {
    this.#dial = dial;
    this.#handlers = handlers;
  }

  /** How many are up. */
  get up(): number {
    let up = 0;
    for (const { link } of this.#links.values()) if (link?.isUp === true) up++;
    return up;
  }
  get downReasons(): ReadonlyMap<ReplicaId, string> {
    return this.#downReasons;
  }
  isUp(replica: ReplicaId): boolean {
    return this.#links.get(replica)?.link?.isUp === true;
  }
  hasAddress(address: string): boolean {
    for (const { member } of this.#links.values()) if (member.address === address) return true;
    return false;
  }

  /** Ends links to whoever is no member as it was, and dials those that are new. */
  follow(membership: Membership): void {
    const { members } = membership;
    for (const { member } of [...this.#links.values()])
      if (!members.some((other) => isSame(other, member))) this.#giveUp(member.id, "no member of the current epoch");
    for (const member of members) if (!this.#links.has(member.id)) this.#make(member);
  }

  send(to: ReplicaId, bytes: Uint8Array): void {
    this.#links.get(to)?.link?.send(bytes);
  }

  /** Why there was no link stays known: it is asked for afterwards, too. */
  close(reason: string): void {
    for (const id of [...this.#links.keys()]) this.#end(id, reason);
  }

  #make(member: Member): void {
    const { id } = member;
    const own: MemberLink = { member, link: undefined };
    this.#links.set(id, own);
    const isCurrent = (): boolean => this.#links.get(id) === own;
    try {
      own.link = this.#dial(member, {
        onUp: () => {
          this.#downReasons.delete(id);
          if (isCurrent()) this.#handlers.onUp(id);
        },
        onDown: (reason) => {
          if (!isCurrent()) return;
          this.#downReasons.set(id, reason.message);
          this.#handlers.onDown(member, reason);
        },
        onFrame: (bytes) => {
          if (isCurrent()) this.#handlers.onFrame(id, bytes);
        },
      });
    } catch (error) {
      // An address that admins have given wrongly: the other members are there all the same.
      this.#downReasons.set(id, String(error));
    }
  }

  /** Before it ends: what it tells then is of no interest any more. */
  #giveUp(id: ReplicaId, reason: string): void {
    this.#end(id, reason);
    this.#downReasons.delete(id);
  }

  #end(id: ReplicaId, reason: string): void {
    const own = this.#links.get(id);
    this.#links.delete(id);
    own?.link?.close(reason);
  }
}

function isSame(a: Member, b: Member): boolean {
  return a.id === b.id && a.publicKey === b.publicKey && a.address === b.address;
}
