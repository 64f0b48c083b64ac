/** What every transport must do about frames, queues and links that are too many: cases of `complianceCases`. */
import { check, type Scene } from "./compliance-scene.ts";
import { type LinkLimits, REPLICA_LINK_LIMITS } from "./limits.ts";
import type { FramedLink } from "./link.ts";

const NARROW: LinkLimits = { frameBytesMax: 65_536, queuedBytesMax: 200_000, whenQueueFull: "drop" };

/** Sends more in one turn than the queue holds: no reader, however fast, can take any of it meanwhile. */
function overfill(link: FramedLink): number {
  let taken = 0;
  for (let i = 0; i < 10; i++) if (link.send(new Uint8Array(65_536).fill(i + 1))) taken++;
  return taken;
}

export async function refusesLargeFrames(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, frames } = await scene.listen([dialer]);
  const limits: LinkLimits = { ...REPLICA_LINK_LIMITS, frameBytesMax: 1_000 };
  const { ups } = scene.dial(dialer, listener.address, { limits });
  const link = await ups.nth(1);
  check(!link.send(new Uint8Array(1_001)), "a frame above the limit to be refused");
  check(link.send(new Uint8Array(1_000)), "a frame at the limit to be taken");
  check((await frames.nth(1)).length === 1_000, "the frame at the limit to arrive alone");
  check(link.snapshot().dropped.tooLarge === 1, "one frame counted as too large", { ...link.snapshot().dropped });
}

export async function dropsWhenFull(scene: Scene): Promise<void> {
  const dialer = scene.transport.endpoint(1);
  const { listener, frames } = await scene.listen([dialer]);
  const { ups } = scene.dial(dialer, listener.address, { limits: NARROW });
  const link = await ups.nth(1);
  const taken = overfill(link);
  check(taken === 3, "three frames of 64 KiB to fit into 200,000 bytes", { taken });
  check(link.snapshot().dropped.queueFull === 7, "seven frames counted", { ...link.snapshot().dropped });
  await frames.nth(3);
  check(link.send(new Uint8Array(5).fill(99)), "a frame to be taken once the queue is empty again");
  check((await frames.nth(4))[0] === 99, "the next frame after the dropped ones", { first: frames.events[3]?.[0] });
}

export async function closesWhenFull(scene: Scene): Promise<void> {
  const client = scene.transport.endpoint("client");
  const clientLimits: LinkLimits = { ...NARROW, whenQueueFull: "close" };
  const { listener, links, downs } = await scene.listen([], { clientLimits });
  scene.dial(client, listener.address);
  const link = await links.nth(1);
  const taken = overfill(link);
  check(taken === 3, "three frames to be taken before the close", { taken });
  check((await downs.nth(1)).code === "link.slow-receiver", "link.slow-receiver", { ...downs.events[0] });
  check(link.snapshot().dropped.down === 6, "frames after the close counted", { ...link.snapshot().dropped });
}

export async function cutsMostQueued(scene: Scene): Promise<void> {
  const bounds = { clientQueuedBytesMax: 320_000 };
  const { listener, links, downs } = await scene.listen([], { bounds, clientLimits: NARROW });
  const readers = [];
  for (const at of [1, 2, 3]) {
    readers.push(scene.dial(scene.transport.endpoint("client"), listener.address));
    await links.nth(at);
  }
  const [first, second, third] = links.events;
  for (let at = 1; at <= 8; at++) {
    first?.send(new Uint8Array(65_536).fill(at));
    await readers[0]?.frames.nth(at);
  }
  check(listener.snapshot().clientLinksCut === 0, "no link cut for what its client has taken");
  const order = [first, second, second, third, first];
  const taken = order.map((link) => link?.send(new Uint8Array(65_536).fill(1)));
  const { clientLinks, clientLinksCut, clientQueuedBytes } = listener.snapshot();
  check(!taken.includes(false), "all frames to be taken, for another link made room", { taken: taken.join() });
  check(clientLinks === 2 && clientLinksCut === 1, "one link cut of three", { clientLinks, clientLinksCut });
  check(clientQueuedBytes >= 3 * 65_536 && clientQueuedBytes < 200_000, "the rest queued", { clientQueuedBytes });
  check((await downs.nth(1)).code === "link.slow-receiver", "link.slow-receiver", { ...downs.events[0] });
  check(second?.send(new Uint8Array(1)) === false, "the one with the most queued to be down");
  check(first?.send(new Uint8Array(65_536)) === true, "room for the others");
}

export async function boundsLinksOfOneClient(scene: Scene): Promise<void> {
  const client = scene.transport.endpoint("client");
  const { listener, links, downs } = await scene.listen([], { bounds: { linksPerClientMax: 2 } });
  const slow = { backOff: { firstMs: 60_000, longestMs: 60_000 } };
  for (let i = 1; i <= 3; i++) {
    scene.dial(client, listener.address, slow);
    await links.nth(i);
  }
  check((await downs.nth(1)).code === "link.replaced", "the oldest to go");
  check(listener.snapshot().clientLinks === 2, "two links of this client", { ...listener.snapshot() });
  check(!(await links.nth(1)).send(new Uint8Array(1)), "the first link to be down");
}

export async function boundsClientLinks(scene: Scene): Promise<void> {
  const replica = scene.transport.endpoint(1);
  const { listener, links } = await scene.listen([replica], { bounds: { clientLinksMax: 1 } });
  scene.dial(scene.transport.endpoint("client"), listener.address);
  await links.nth(1);
  const second = scene.dial(scene.transport.endpoint("client"), listener.address);
  check((await second.downs.nth(1)).code === "link.client-links", "link.client-links", { ...second.downs.events[0] });
  second.link.close("seen enough");
  const { ups } = scene.dial(replica, listener.address);
  await Promise.all([ups.nth(1), links.nth(2)]);
  check(listener.snapshot().replicaLinks === 1, "the replica's link beside the client's");
}

export async function boundsObserverLinks(scene: Scene): Promise<void> {
  const { transport } = scene;
  const options = { bounds: { observerLinksMax: 1 }, isObserverAdmitted: () => true };
  const { listener, links, downs } = await scene.listen([transport.endpoint(1)], options);
  const observer = transport.endpoint("observer");
  const slow = { backOff: { firstMs: 60_000, longestMs: 60_000 } };
  for (const at of [1, 2]) {
    scene.dial(observer, listener.address, slow);
    await links.nth(at);
  }
  check((await downs.nth(1)).code === "link.replaced", "the older to go", { ...downs.events[0] });
  const second = scene.dial(transport.endpoint("observer"), listener.address, slow);
  check((await second.downs.nth(1)).code === "link.observer-links", "link.observer-links");
  scene.dial(transport.endpoint("client"), listener.address);
  await links.nth(3);
  check(listener.snapshot().observerLinks === 1, "one observer beside the client", { ...listener.snapshot() });
}

export async function cutsObservers(scene: Scene): Promise<void> {
  const bounds = { observerQueuedBytesMax: 320_000 };
  const { listener, links, downs } = await scene.listen([], { bounds, isObserverAdmitted: () => true });
  for (const at of [1, 2]) {
    scene.dial(scene.transport.endpoint("observer"), listener.address);
    await links.nth(at);
  }
  const [first, second] = links.events;
  const order = [first, second, first, first, first, second];
  for (const link of order) link?.send(new Uint8Array(65_536).fill(1));
  check((await downs.nth(1)).code === "link.slow-receiver", "link.slow-receiver", { ...downs.events[0] });
  check(first?.send(new Uint8Array(1)) === false, "the one with the most queued to be down");
  check(second?.send(new Uint8Array(1)) === true, "room for the other");
  check(listener.snapshot().clientLinksCut === 0, "no client's link counted");
}
