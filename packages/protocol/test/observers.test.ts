import {
  isObserverPeer,
  NO_MEMBER,
  observerPeerId,
  PEERS_BY_KEY_MAX,
  REPLICA_ID_MAX,
  replicaId,
} from "@quorate/protocol";
import { expect } from "chai";

describe("numbers of observers", () => {
  it("are those of no replica, one for each place", () => {
    const ids = Array.from({ length: PEERS_BY_KEY_MAX }, (_, place) => observerPeerId(place));

    expect(new Set(ids)).to.have.length(PEERS_BY_KEY_MAX);
    expect(ids.every(isObserverPeer)).to.equal(true);
    expect(ids.every((id) => id > REPLICA_ID_MAX)).to.equal(true);
    expect(isObserverPeer(replicaId(REPLICA_ID_MAX))).to.equal(false);
  });

  it("end with the places, so that what is kept of each peer is bounded", () => {
    for (const place of [-1, 0.5, PEERS_BY_KEY_MAX]) expect(() => observerPeerId(place)).to.throw("observers.place");
  });

  it("are none that a replica without membership has for itself", () => {
    expect(NO_MEMBER).to.be.greaterThan(observerPeerId(PEERS_BY_KEY_MAX - 1));
    expect(() => replicaId(NO_MEMBER)).to.throw("ids.replica-id");
  });
});
