/**
 * What every transport must do, as cases for any test runner: `for (const { title, run } of complianceCases(transport))
 * it(title, run)`.
 *
 * @packageDocumentation
 */
import { type ClusterId, equalBytes, invariant, type LinkIdentity } from "@quorate/protocol";
import {
  boundsClientLinks,
  boundsLinksOfOneClient,
  boundsObserverLinks,
  closesWhenFull,
  cutsMostQueued,
  cutsObservers,
  dropsWhenFull,
  refusesLargeFrames,
} from "./compliance-bounds.ts";
import { check, EventLog, Scene, type TransportUnderTest } from "./compliance-scene.ts";
import type { Endpoint } from "./identity.ts";
import { REPLICA_LINK_LIMITS } from "./limits.ts";
import type { TransportError, TransportErrorCode } from "./transport-error.ts";

export { EventLog, Scene, type TransportUnderTest } from "./compliance-scene.ts";

/** One demand, as a title and a test of it that rejects when it is not met. */
export interface ComplianceCase {
  readonly title: string;
  run(): Promise<void>;
}

/** All cases, each with a scene of its own. */
export function complianceCases(transport: TransportUnderTest): readonly ComplianceCase[] {
  const cases: readonly (readonly [string, (scene: Scene) => Promise<void>])[] = [
    ["proves both ends of a link between replicas to each other", provesReplicas],
    ["proves a client to a replica and the replica to the client", provesClient],
    ["admits an observer as its judge says, with the limits of replicas", admitsObservers],
    ["tells an observer with the key of a client or a replica apart from them", keepsRolesApart],
    ["takes a member with any of its keys", takesEitherKey],
    ["is whom it is taken for, where it holds the key of that", isWhomItIsNamed],
    ["asks who it is at each handshake", asksAtEachHandshake],
    ["delivers frames of all sizes whole, unchanged and in order, both ways", deliversFrames],
    ["delivers what was sent in the turn of a close, and nothing after it", deliversBeforeClose],
    ["tells the dialer why it is refused, with a typed one-line error", refusesStrangers],
    ["never takes a replica for another one than it dialed", refusesOtherReplica],
    ["refuses to send a frame above the limit, and counts it", refusesLargeFrames],
    ["drops and counts what does not fit into the queue of a replica link", dropsWhenFull],
    ["closes a client link whose queue is full", closesWhenFull],
    ["cuts the client link with the most queued when all together come to their bound", cutsMostQueued],
    ["lets a newer link of the same replica take the place of the older", replacesOlder],
    ["lets no link of a replica take the place of one with another key of it", keepsOneOfEachKey],
    ["holds as many links of one client key as the bound says", boundsLinksOfOneClient],
    ["holds as many client links as the bound says, and still takes replicas", boundsClientLinks],
    ["holds as many observers as the bound says, a newer link in the place of the older", boundsObserverLinks],
    ["cuts the observer with the most queued when all together come to their bound", cutsObservers],
    ["tells the other end why a link was closed", tellsCloseReason],
    ["counts what is sent while there is no link", countsWhileDown],
    ["comes back when the listener does", reconnects],
    ["refuses an address that is taken", refusesTakenAddress],
  ];
  return cases.map(([title, test]) => ({
    title,
    run: async () => {
      const scene = new Scene(transport);
      try {
        await test(scene);
      } finally {
        await scene.close();
      }
    },
  }));
}

async function provesReplicas(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, links } = await scene.listen([dialer]);
  const { ups, link } = scene.dial(dialer, listener.address);
  const [far, near] = [await links.nth(1), await ups.nth(1)];
  checkPeer(far.peer, dialer.credentials.identity);
  checkPeer(near.peer, scene.server.credentials.identity);
  check(link.isUp, "the dialed link to be up");
  check(listener.snapshot().replicaLinks === 1, "one replica link", { ...listener.snapshot() });
}

async function provesClient(scene: Scene): Promise<void> {
  const client = scene.transport.endpoint("client");
  const { listener, links } = await scene.listen([]);
  const { ups } = scene.dial(client, listener.address);
  const [far, near] = [await links.nth(1), await ups.nth(1)];
  checkPeer(far.peer, client.credentials.identity);
  checkPeer(near.peer, scene.server.credentials.identity);
  check(listener.snapshot().clientLinks === 1 && listener.snapshot().strangers === 0, "one client link, no stranger");
}

async function admitsObservers(scene: Scene): Promise<void> {
  const [admitted, outcast] = [scene.transport.endpoint("observer"), scene.transport.endpoint("observer")];
  const { publicKey } = admitted.credentials.identity;
  const { listener, links } = await scene.listen([], {
    replicaLimits: { ...REPLICA_LINK_LIMITS, frameBytesMax: 70_000 },
    clientLimits: { ...REPLICA_LINK_LIMITS, frameBytesMax: 3_000 },
    isObserverAdmitted: (key) => key === publicKey,
  });
  const { ups } = scene.dial(admitted, listener.address, { expected: "any-replica" });
  const [far, near] = [await links.nth(1), await ups.nth(1)];
  checkPeer(far.peer, admitted.credentials.identity);
  checkPeer(near.peer, scene.server.credentials.identity);
  check(far.send(new Uint8Array(70_000)) && !far.send(new Uint8Array(70_001)), "frames as large as a replica's");
  check(listener.snapshot().observerLinks === 1, "one link of an observer", { ...listener.snapshot() });
  const { downs } = scene.dial(outcast, listener.address);
  check((await downs.nth(1)).code === "hello.not-admitted", "hello.not-admitted", { ...downs.events[0] });
  const unsaid = await scene.listen([]);
  const refused = scene.dial(admitted, unsaid.listener.address);
  check((await refused.downs.nth(1)).code === "hello.not-admitted", "no observers where nobody says so");
}

/** The same key as another role. */
function inRole(endpoint: Endpoint, role: "observer" | "client"): Endpoint {
  const { publicKey } = endpoint.credentials.identity;
  return { ...endpoint, credentials: { ...endpoint.credentials, identity: { role, publicKey } } };
}

async function keepsRolesApart(scene: Scene): Promise<void> {
  const replica = scene.transport.endpoint(1);
  const { listener, links } = await scene.listen([replica], { isObserverAdmitted: () => true });
  for (const [at, endpoint] of [replica, inRole(replica, "observer"), inRole(replica, "client")].entries()) {
    scene.dial(endpoint, listener.address);
    checkPeer((await links.nth(at + 1)).peer, endpoint.credentials.identity);
  }
  const { replicaLinks, observerLinks, clientLinks } = listener.snapshot();
  check(replicaLinks === 1 && observerLinks === 1 && clientLinks === 1, "one link of each role");
}

async function takesEitherKey(scene: Scene): Promise<void> {
  const [newer, older, stranger] = [1, 1, 1].map((id) => scene.transport.endpoint(id));
  invariant(newer !== undefined && older !== undefined && stranger !== undefined, "compliance.endpoints");
  const { listener, links } = await scene.listen([newer, older]);
  for (const [at, endpoint] of [newer, older].entries()) {
    const { link } = scene.dial(endpoint, listener.address);
    checkPeer((await links.nth(at + 1)).peer, endpoint.credentials.identity);
    link.close("seen enough");
  }
  const { downs } = scene.dial(stranger, listener.address);
  check((await downs.nth(1)).code === "hello.wrong-key", "hello.wrong-key", { ...downs.events[0] });
}

async function isWhomItIsNamed(scene: Scene): Promise<void> {
  const [now, other] = [scene.transport.endpoint("observer"), scene.transport.endpoint(4)];
  const { publicKey } = other.credentials.identity;
  const endpoint: Endpoint = {
    ...now,
    credentialsNamed: (named) =>
      named.publicKey === publicKey ? { ...other.credentials, identity: named } : undefined,
  };
  const dialer = scene.transport.endpoint(1);
  const { listener, links } = await scene.listen([dialer], { endpoint });
  const { identity } = other.credentials;
  const { ups } = scene.dial(dialer, listener.address, { expected: identity });
  checkPeer((await ups.nth(1)).peer, identity);
  await links.nth(1);
  const stranger = scene.transport.endpoint(4).credentials.identity;
  const { downs } = scene.dial(dialer, listener.address, { expected: stranger });
  check((await downs.nth(1)).code === "hello.wrong-peer", "hello.wrong-peer", { ...downs.events[0] });
}

async function asksAtEachHandshake(scene: Scene): Promise<void> {
  let own = scene.transport.endpoint("observer");
  const changing: Endpoint = {
    ...own,
    get credentials() {
      return own.credentials;
    },
  };
  const member = scene.transport.endpoint(1);
  const { listener, links } = await scene.listen([member], { isObserverAdmitted: () => true });
  const { ups } = scene.dial(changing, listener.address);
  await ups.nth(1);
  checkPeer((await links.nth(1)).peer, own.credentials.identity);
  own = member;
  (await links.nth(1)).close("again");
  checkPeer((await links.nth(2)).peer, member.credentials.identity);
}

function checkPeer(actual: LinkIdentity, expected: LinkIdentity): void {
  check(JSON.stringify(actual) === JSON.stringify(expected), "the peer's own identity", { actual, expected });
}

const SIZES = [1, 2, 125, 126, 127, 200, 65_528, 65_535, 65_536, 65_537, 1_000_000];

async function deliversFrames(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, links, frames: atListener } = await scene.listen([dialer]);
  const { ups, frames: atDialer } = scene.dial(dialer, listener.address);
  const [far, near] = [await links.nth(1), await ups.nth(1)];
  const ofEachSize = SIZES.map((size, index) => Uint8Array.from({ length: size }, (_, at) => (at * 31 + index) & 255));
  const small = ofEachSize.filter((frame) => frame.length < 1_000);
  const turns = [ofEachSize, small, ...ofEachSize.map((frame) => [frame])];
  const sent: Uint8Array[] = [];
  for (const turn of turns) {
    for (const frame of turn) {
      check(near.send(frame), "the dialer's frame to be taken");
      check(far.send(frame), "the listener's frame to be taken");
    }
    sent.push(...turn);
    await Promise.all([atListener.nth(sent.length), atDialer.nth(sent.length)]);
  }
  for (const [index, frame] of sent.entries())
    for (const received of [atListener.events[index], atDialer.events[index]])
      check(received !== undefined && equalBytes(received, frame), "the frame as it was sent", { index });
  const bytes = sent.reduce((sum, frame) => sum + frame.length, 0);
  const { framesIn, framesOut, bytesIn, bytesOut } = far.snapshot();
  check(framesIn === sent.length && framesOut === sent.length, "all frames counted", { framesIn, framesOut });
  check(bytesIn === bytes && bytesOut === bytes, "all bytes counted", { bytesIn, bytesOut, bytes });
}

async function deliversBeforeClose(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, links, frames: atListener, downs: atListenerDown } = await scene.listen([dialer]);
  const { ups, link, frames: atDialer, downs: atDialerDown } = scene.dial(dialer, listener.address);
  await Promise.all([links.nth(1), ups.nth(1)]);
  const far = await links.nth(1);
  for (const size of [3, 4]) far.send(new Uint8Array(size));
  far.close("all is said");
  check(!far.send(new Uint8Array(5)), "nothing to be taken after a close");
  check((await atDialerDown.nth(1)).code === "link.closed", "link.closed", { ...atDialerDown.events[0] });
  check(atDialer.events.map((frame) => frame.length).join() === "3,4", "both frames of the listener, in order");

  await Promise.all([links.nth(2), ups.nth(2)]);
  for (const size of [6, 7]) link.send(new Uint8Array(size));
  link.close("all is said");
  check((await atListenerDown.nth(2)).code === "link.closed", "link.closed", { ...atListenerDown.events[1] });
  check(atListener.events.map((frame) => frame.length).join() === "6,7", "both frames of the dialer, in order");
}

async function refusesStrangers(scene: Scene): Promise<void> {
  const { transport } = scene;
  const member = transport.endpoint(1);
  const outcast = transport.endpoint("client");
  const { listener } = await scene.listen([member], {
    isClientAdmitted: (key) => key !== outcast.credentials.identity.publicKey,
  });
  const other = `${"f".repeat(63)}0` as ClusterId;
  const badSigner: Endpoint = {
    ...member,
    credentials: { ...member.credentials, sign: () => new Uint8Array(64).fill(1) },
  };
  const strangers: readonly (readonly [Endpoint, TransportErrorCode])[] = [
    [transport.endpoint(1, other), "hello.wrong-cluster"],
    [transport.endpoint(7), "hello.unknown-replica"],
    [transport.endpoint(1), "hello.wrong-key"],
    [outcast, "hello.not-admitted"],
    [badSigner, "hello.bad-proof"],
    [scene.server, "hello.reflected"],
  ];
  for (const [endpoint, code] of strangers) {
    const { link, ups, downs } = scene.dial(endpoint, listener.address);
    const error = await downs.nth(1);
    link.close("seen enough");
    check(error.code === code, code, { code: error.code, message: error.message });
    check(ups.events.length === 0, "no link for a stranger", { code });
    check(error.message.length > 20 && !error.message.includes("\n"), "a message of one line", { ...error });
    check((listener.snapshot().refused[code] ?? 0) >= 1, "the refusal counted", { code });
  }
  check(listener.snapshot().replicaLinks + listener.snapshot().clientLinks === 0, "no link at all");
}

async function refusesOtherReplica(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener } = await scene.listen([dialer]);
  const elsewhere = scene.transport.endpoint(3).credentials.identity;
  const wrongKey = scene.transport.endpoint(2).credentials.identity;
  const first = scene.dial(dialer, listener.address, { expected: elsewhere });
  check((await first.downs.nth(1)).code === "hello.wrong-peer", "hello.wrong-peer", { ...first.downs.events[0] });
  first.link.close("seen enough");
  const second = scene.dial(dialer, listener.address, { expected: wrongKey });
  check((await second.downs.nth(1)).code === "hello.wrong-key", "hello.wrong-key", { ...second.downs.events[0] });
  check(first.ups.events.length + second.ups.events.length === 0, "no link to another replica");
}

async function replacesOlder(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, links, downs, frames } = await scene.listen([dialer]);
  const older = scene.dial(dialer, listener.address, { onDown: (reason) => onOlderDown(reason) });
  const olderDowns = new EventLog<TransportError>();
  const onOlderDown = (reason: TransportError): void => {
    older.link.close("replaced");
    olderDowns.add(reason);
  };
  await Promise.all([older.ups.nth(1), links.nth(1)]);
  const newer = scene.dial(dialer, listener.address);
  const [near, far] = [await newer.ups.nth(1), await links.nth(2)];
  check((await downs.nth(1)).code === "link.replaced", "the listener's older end to be replaced");
  check((await olderDowns.nth(1)).code === "link.replaced", "the dialer to learn that it was replaced");
  check(listener.snapshot().replicaLinks === 1, "one link of this replica", { ...listener.snapshot() });
  check(!(await links.nth(1)).send(new Uint8Array(1)), "nothing to go out on the older link");
  near.send(new Uint8Array(3));
  check((await frames.nth(1)).length === 3 && far.snapshot().framesIn === 1, "the newer link to work");
}

async function keepsOneOfEachKey(scene: Scene): Promise<void> {
  const keys = [scene.transport.endpoint(1), scene.transport.endpoint(1)] as const;
  const { listener, links, downs } = await scene.listen(keys);
  for (const [at, endpoint] of keys.entries()) {
    scene.dial(endpoint, listener.address);
    checkPeer((await links.nth(at + 1)).peer, endpoint.credentials.identity);
  }
  check(listener.snapshot().replicaLinks === 2, "one link of each key", { ...listener.snapshot() });
  check((await links.nth(1)).send(new Uint8Array(1)) && downs.events.length === 0, "the older link to be up");
}

async function tellsCloseReason(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, links, downs } = await scene.listen([dialer]);
  const dialed = scene.dial(dialer, listener.address);
  await dialed.ups.nth(1);
  (await links.nth(1)).close("the floor is being cleaned");
  const error = await dialed.downs.nth(1);
  check(error.code === "link.closed" && error.message.includes("floor is being cleaned"), "the reason", { ...error });
  await links.nth(2);
  dialed.link.close("going home");
  check(dialed.downs.events[1]?.message === "going home", "onDown at once for the end that closes");
  const far = await downs.nth(2);
  check(far.code === "link.closed" && far.message.includes("going home"), "the reason at the listener", { ...far });
  check(!dialed.link.send(new Uint8Array(1)), "nothing to be sent after close");
}

async function countsWhileDown(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener } = await scene.listen([dialer]);
  await listener.close("not there");
  const { link, downs } = scene.dial(dialer, listener.address);
  check(!link.send(new Uint8Array(1)), "nothing to be sent without a link");
  check(link.droppedDown === 1 && !link.isUp && link.snapshot() === undefined, "the frame counted");
  check((await downs.nth(1)).code === "dial.refused", "dial.refused", { ...downs.events[0] });
}

async function reconnects(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const first = await scene.listen([dialer]);
  const { link, ups, frames, downs } = scene.dial(dialer, first.listener.address);
  await ups.nth(1);
  await first.listener.close("restarting");
  await downs.nth(2);
  const second = await scene.listen([dialer], { address: first.listener.address });
  await Promise.all([ups.nth(2), second.links.nth(1)]);
  check(link.isUp && link.send(new Uint8Array(4)), "the same dialer to be up again");
  check((await second.frames.nth(1)).length === 4, "its frame to arrive");
  (await second.links.nth(1)).send(new Uint8Array(6));
  check((await frames.nth(1)).length === 6, "the listener's frame to arrive");
}

async function refusesTakenAddress(scene: Scene): Promise<void> {
  const { listener } = await scene.listen([]);
  const error = await scene.listen([], { address: listener.address }).then(
    () => undefined,
    (reason: TransportError) => reason,
  );
  check(error?.code === "listen.address-in-use", "listen.address-in-use", { ...error });
}
