import type { Effect } from "@quorate/protocol";
import { expect } from "chai";
import { eventOf, Node, newReplica, type Packet, requestOf, VIEW_CHANGE_MS } from "./builders.ts";
import { newViewOf, viewChangeOf } from "./paper-messages.ts";

/** One backup of view 0 that hears of nobody. */
class LonelyBackup {
  readonly packets: Packet[] = [];
  readonly node: Node = new Node(1, (packet) => this.packets.push(packet));

  at(ms: number): this {
    this.node.nowMs = 1_000 + ms;
    return this;
  }
  ask(label: string): this {
    this.node.request(requestOf(label));
    return this;
  }
  fire(): this {
    this.node.fire("progress");
    return this;
  }
  /** After how long each watch ends that was started. */
  get watches(): number[] {
    return this.node.effects
      .filter((effect): effect is Extract<Effect, { type: "start-timer" }> => effect.type === "start-timer")
      .filter(({ timer }) => timer === "progress")
      .map(({ afterMs }) => afterMs);
  }
}

describe("a backup watches its primary (OSDI'99 §4.4, protocol rule 7.4)", () => {
  it("not while nothing waits; from the first request on, with one timer", () => {
    const backup = new LonelyBackup();
    expect(backup.watches).to.deep.equal([]);
    backup.ask("a").at(400).ask("b");
    expect(backup.watches).to.deep.equal([VIEW_CHANGE_MS]);
  });

  it("leaves the view when the oldest has waited for the time-out, not before", () => {
    const backup = new LonelyBackup()
      .ask("a")
      .at(VIEW_CHANGE_MS - 1)
      .fire();
    expect(backup.node.status.target).to.equal(0);
    expect(backup.watches, "the rest of the time-out").to.deep.equal([VIEW_CHANGE_MS, 1]);
    expect(backup.at(VIEW_CHANGE_MS).fire().node.status.target).to.equal(1);
  });

  it("watches nobody between two views, and the old watch has ended", () => {
    const backup = new LonelyBackup()
      .ask("a")
      .at(VIEW_CHANGE_MS)
      .fire()
      .ask("b")
      .at(100 * VIEW_CHANGE_MS)
      .fire();
    expect(backup.node.status.target).to.equal(1);
    expect(backup.watches).to.have.length(1);
    expect(backup.node.timers.has("progress")).to.equal(true);
  });

  it("the end of a watch that was stopped says nothing about the primary of a later view", () => {
    const replica = newReplica(3);
    const tokens = (effects: readonly Effect[]): number[] =>
      effects.flatMap((effect) => (effect.type === "start-timer" && effect.timer === "progress" ? [effect.token] : []));
    const request = { type: "request", request: requestOf("a"), standing: { type: "executable" } } as const;
    const [first] = tokens(replica.step(request, 0));
    const { newView } = newViewOf([0, 1, 2].map((id) => viewChangeOf(id, 1)));
    const [second] = tokens(replica.step(eventOf(1, { type: "new-view", newView })!, 10));
    expect(second, "another watch").to.not.equal(first);
    replica.step({ type: "timeout", timer: "progress", token: first! }, 10 * VIEW_CHANGE_MS);
    expect(replica.status.target, "the old one").to.equal(1);
    replica.step({ type: "timeout", timer: "progress", token: second! }, 10 * VIEW_CHANGE_MS);
    expect(replica.status.target, "the new one").to.equal(2);
  });

  it("the primary watches nobody", () => {
    const node = new Node(0, () => undefined);
    node.request(requestOf("a"));
    expect(node.timers.has("progress")).to.equal(false);
  });
});
