/** How full something bounded is, for metrics and for whoever checks that bounds hold (protocol rule 13.1). */
export interface Fill {
  /** What is bounded, and by whom if each has a share: the fullest share. */
  readonly of: string;
  readonly size: number;
  readonly max: number;
  /** An index over what else is bounded, which may not outgrow that: a check for tests, of no use to operators. */
  readonly isIndex?: true;
}
