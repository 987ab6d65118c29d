import manifest from '../../package.json' with { type: 'json' };

export const weftVersion: string = manifest.version;
/** The release that every generated resource is tested against, and the oldest that knows all of them. */
export const envoyVersions = { pinned: '1.40.0', oldest: [1, 40] } as const;
