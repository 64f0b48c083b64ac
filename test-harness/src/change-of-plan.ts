import {
  type CheckpointClaim,
  type Digest,
  digest,
  invariant,
  type PublicKey,
  type ReconfigurationChange,
  replicaId,
  sequenceNumber,
} from "@quorate/protocol";
import { addressOf } from "./cluster.ts";
import type { PlannedChange } from "./planned-changes.ts";
import type { SimulatedKeys } from "./simulated-keys.ts";
import type { World } from "./world.ts";

/** What is asked for, and who has to show that it has the key which comes in. */
export interface ChangeOfPlan {
  readonly change: ReconfigurationChange;
  readonly holder: SimulatedKeys | undefined;
}

type Planned<T extends PlannedChange["type"]> = Extract<PlannedChange, { readonly type: T }>;

/** No checkpoint that there is. */
const BEHIND: CheckpointClaim = { seq: sequenceNumber(0), stateRoot: digest("0".repeat(64)) };

/** Puts a planned change as it is ordered. @param admins keys by their number. @param fresh used once. */
export function changeOfPlan(
  world: World,
  planned: PlannedChange,
  admins: readonly PublicKey[],
  fresh: Digest,
): ChangeOfPlan {
  const alone = (change: ReconfigurationChange): ChangeOfPlan => ({ change, holder: undefined });
  switch (planned.type) {
    case "parameters": {
      const { type, checkpointInterval, windowSize } = planned;
      return alone({ type, checkpointInterval, windowSize });
    }
    case "admins": {
      const keys = planned.keys.flatMap((key) => admins[key] ?? []);
      return alone({ type: "admins", admins: { threshold: planned.threshold, keys } });
    }
    case "admit":
    case "expel": {
      const client = world.cluster.strangers[planned.stranger];
      invariant(client !== undefined, "simulation.no-such-stranger", { stranger: planned.stranger });
      return alone({ type: planned.type, client });
    }
    case "leave": {
      const { type, replica, mayLowerFaultThreshold } = planned;
      return alone({ type, id: replicaId(replica), mayLowerFaultThreshold });
    }
    case "rejoin":
      return alone({ type: "rejoin", id: replicaId(planned.replica), loss: lossOf(world, planned.replica) ?? fresh });
    case "rotate-key":
      return rotation(world, planned);
    case "join":
      return join(world, planned);
  }
}

/** What its disk notes of the loss of the one before; while it is down nobody knows it. */
function lossOf(world: World, replica: number): Digest | undefined {
  return world.replicas()[replica]?.store?.lossNonce;
}

function rotation(world: World, { replica, isUsed }: Planned<"rotate-key">): ChangeOfPlan {
  const own = keysOf(world, replica);
  const { holder, publicKey } = isUsed === true ? keyInUse(world, replica) : { holder: own, publicKey: own.next() };
  return { change: { type: "rotate-key", id: replicaId(replica), publicKey }, holder };
}

/** As the joiner claims it: where it stands, and where it is reached. */
function join(world: World, { replica, fault }: Planned<"join">): ChangeOfPlan {
  const own = keysOf(world, replica);
  const { holder, publicKey } =
    fault === "used-key" ? keyInUse(world, replica) : { holder: own, publicKey: own.newest };
  const standing = world.replicas()[replica]?.claim() ?? BEHIND;
  const member = {
    id: replicaId(fault === "used-id" ? 0 : replica),
    publicKey,
    address: addressOf(fault === "used-address" ? 0 : replica),
  };
  const loss = lossOf(world, replica);
  const checkpoint = fault === "behind" ? BEHIND : standing;
  return { change: { type: "join", member, checkpoint, ...(loss !== undefined && { loss }) }, holder };
}

/**
 * Another's, as it has it in the epoch that the change is signed for. The key of one that has left is free, as is one that is yet to
 * come into force: with it a member would live in another replica than the one of its number (seed 28 with changes).
 */
function keyInUse(world: World, replica: number): { readonly holder: SimulatedKeys; readonly publicKey: PublicKey } {
  const other = world.epochs().membership.members.find(({ id }) => id !== replica);
  invariant(other !== undefined, "simulation.no-other-member", { replica });
  return { holder: keysOf(world, other.id), publicKey: other.publicKey };
}

function keysOf(world: World, replica: number): SimulatedKeys {
  const keys = world.replicas()[replica]?.keys;
  invariant(keys !== undefined, "simulation.no-such-replica", { replica });
  return keys;
}
