import {
  APPROVALS_MAX,
  type Configuration,
  EPOCHS_MAX,
  JOIN_ID_STEP_MAX,
  MEMBERS_MAX,
  MEMBERS_MIN,
  type ReconfigurationRefusal,
  type ReconfigurationRequest,
} from "@quorate/protocol";

type Sentence = string | ((request: ReconfigurationRequest, configuration: Configuration) => string);

/** What each refusal means, and what to do. */
const REFUSALS: Readonly<Record<ReconfigurationRefusal, Sentence>> = {
  "epoch-other": ({ epoch }) => `it is for epoch ${epoch}, which is over; sign it anew`,
  "nonce-used":
    "an order with its nonce was executed before, and that answer is forgotten; see who the members are, and sign a new order if the change is not in force",
  "approval-foreign":
    "one of its signatures is of a key that is no admin's in this epoch; have it signed by admins alone",
  "approvals-too-few": ({ approvals }, { admins: { threshold, keys } }) =>
    `it has the signatures of ${approvals.length} admins, expected ${threshold} of ${keys.length}; have more of them approve it`,
  "in-flight": "another change waits for its activation; order this one when that is in force",
  "id-used": "its id was used before, and none is given twice; take one above all that were ever used",
  "key-used": "another member has this key; make one that nobody else has",
  "address-used": "another member has this address; expected one of its own",
  "joiner-behind":
    "what the joiner has come to is none of the cluster's last checkpoints; wait until it has caught up, and take a newer claim of it",
  "member-unknown": "no member of this epoch has this id",
  "members-too-few": `a cluster has at least ${MEMBERS_MIN} members; let another one join before`,
  "members-too-many": `a cluster has at most ${MEMBERS_MAX} members; let another one leave before`,
  "fault-threshold-lowered":
    "fewer members could be faulty then than now; let another one join before, or say that this is meant",
  "rejoin-too-soon": "the member has rejoined not long ago; have admins approve it",
  "admins-invalid": `expected 1 to ${APPROVALS_MAX} keys, each once, and a threshold from 1 to their number`,
  "parameters-invalid":
    "expected a window that is a multiple of the checkpoint interval, at least twice as long, and no longer than the limits of the genesis document allow",
  "changes-nothing": "it is as the change wants it already",
  "clients-open": "the genesis document lets everyone be a client; there is nobody to admit or expel",
  "member-invalid": `its address is none that can be dialed, or its id is more than ${JOIN_ID_STEP_MAX} above all that were ever used; take the next id, and host:port`,
  "nonces-spent":
    "as many orders of this epoch are remembered as may be, and one more could be submitted again; order a change that begins an epoch (`rotate-key`, `parameters`, `admins`, or of members), and this one after it",
  "epochs-too-many": `a cluster has at most ${EPOCHS_MAX} epochs; start a new one from a backup`,
  "clients-too-many": "as many clients are admitted as may be; expel one before",
};

/**
 * Why a change was refused, and what to do, in one line: for whoever ordered it, and for the log of each replica.
 *
 * @param configuration it was judged by.
 */
export function describeRefusal(
  refusal: ReconfigurationRefusal,
  request: ReconfigurationRequest,
  configuration: Configuration,
): string {
  const sentence = REFUSALS[refusal];
  return typeof sentence === "string" ? sentence : sentence(request, configuration);
}
