/** A planted fault of Campus Pay and its cure: YAML beside this file, applied over the demo's own. */
export type Story = {
  readonly name: string;
  /** What goes wrong, in a sentence. */
  readonly about: string;
  /** What to look at while it is broken. */
  readonly look: string;
};

export const stories: readonly Story[] = [
  {
    name: 'canary',
    about:
      'pay-core v2 gets gold students and a tenth of all others; it rounds cents away and loses gold payments',
    look: 'weft edges',
  },
  {
    name: 'retries',
    about: 'every fifth answer of risk is UNAVAILABLE and nobody tries again, so payments are lost',
    look: 'weft edges',
  },
  {
    name: 'mtls',
    about: 'cron-legacy, which has no sidecar, reads the ledger in plaintext',
    look: 'weft logs campus/cron-legacy',
  },
  {
    name: 'authz',
    about: 'notify reads the ledger, which is none of its business',
    look: 'weft logs campus/notify',
  },
  {
    name: 'timeout',
    about: 'notify takes three seconds and every payment waits for it',
    look: 'weft edges',
  },
];
