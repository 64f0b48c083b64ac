import type { AuditDocument, OwnAudit, ReplicaName } from "@quorate/server";

/** What comparing came to, for one replica. */
export type AuditVerdict =
  | { readonly verdict: "agrees" | "behind" | "not-compared" | "unreachable" }
  | { readonly verdict: "quarantined"; readonly attempt: number; readonly isGivenUp: boolean }
  | { readonly verdict: "differs"; readonly since: number };

/** A replica, and what it says of itself; undefined when it does not answer. */
export interface Audited {
  readonly replica: ReplicaName;
  readonly audit: AuditDocument | undefined;
}

/**
 * Compares what replicas say of the same numbers (protocol rule 9.5). One differs when f+1 others say the same of a number, and
 * it says something else; or when f+1 others have found that out.
 *
 * @param weakQuorum f+1.
 */
export function auditVerdicts(rows: readonly Audited[], weakQuorum: number): readonly AuditVerdict[] {
  const facts = rows.map(({ audit }) => factsOf(audit?.own));
  return rows.map(({ replica, audit }, at): AuditVerdict => {
    if (audit === undefined) return { verdict: "unreachable" };
    const { own, quarantine } = audit;
    if (quarantine !== undefined)
      return { verdict: "quarantined", attempt: quarantine.attempt, isGivenUp: quarantine.isGivenUp };
    const mine = facts[at] ?? new Map();
    const others = facts.filter((_, i) => i !== at);
    const since = [...differences(mine, others, weakQuorum), ...accusations(replica, rows, weakQuorum)];
    if (since.length > 0) return { verdict: "differs", since: Math.min(...since) };
    if (own === undefined) return { verdict: "behind" };
    if (others.some((theirs) => [...mine].some(([name, { digest }]) => theirs.get(name)?.digest === digest)))
      return { verdict: "agrees" };
    const isBehind = rows.some((row) => (row.audit?.own?.executed ?? 0) > own.executed);
    return { verdict: isBehind ? "behind" : "not-compared" };
  });
}

type Facts = ReadonlyMap<string, { readonly seq: number; readonly digest: string }>;

/** What it says of numbers, by name: outputs, checkpoints, and the state that it has now. */
function factsOf(own: OwnAudit | undefined): Facts {
  const facts = new Map<string, { seq: number; digest: string }>();
  if (own === undefined) return facts;
  const { executed, executionDigest, outputs, stateRoot, stable, lastCheckpoint } = own;
  for (const { seq, digest } of [...outputs, { seq: executed, digest: executionDigest }])
    facts.set(`outputs ${seq}`, { seq, digest });
  // What genesis says of its own checkpoint is no root.
  for (const { seq, stateRoot: digest } of [stable, lastCheckpoint])
    if (seq > 0) facts.set(`state ${seq}`, { seq, digest });
  facts.set(`state ${executed}`, { seq: executed, digest: stateRoot });
  return facts;
}

/** The numbers of which f+1 others say one thing, and this one another. */
function differences(mine: Facts, others: readonly Facts[], weakQuorum: number): number[] {
  return [...mine].flatMap(([name, { seq, digest }]) => {
    const counts = new Map<string, number>();
    for (const theirs of others) {
      const said = theirs.get(name)?.digest;
      if (said !== undefined && said !== digest) counts.set(said, (counts.get(said) ?? 0) + 1);
    }
    return Math.max(0, ...counts.values()) >= weakQuorum ? [seq] : [];
  });
}

/** What f+1 others have found out, or all that were asked, if they are fewer. */
function accusations(replica: ReplicaName, rows: readonly Audited[], weakQuorum: number): number[] {
  const others = rows.filter((row) => row.replica !== replica && row.audit !== undefined);
  const since = others.flatMap(({ audit }) => audit?.divergent.filter((found) => found.replica === replica) ?? []);
  if (since.length === 0 || since.length < Math.min(weakQuorum, others.length)) return [];
  return [Math.min(...since.map(({ seq }) => seq))];
}
