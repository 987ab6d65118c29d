import manifest from '../../package.json' with { type: 'json' };

export const weftVersion: string = manifest.version;
/** The Envoy that Weft fetches; others from 1.36 on are used where they are found. */
export const envoyVersion = '1.40.0';
