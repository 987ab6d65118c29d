/** Everything a command touches of the terminal it runs in. */
export type Io = {
  readonly stdout: { readonly write: (text: string) => unknown };
  readonly stderr: { readonly write: (text: string) => unknown };
  readonly stdin: () => AsyncIterable<string | Uint8Array>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Is stdout a terminal? */
  readonly isTTY: boolean;
  readonly cwd: string;
  /** Aborted by Ctrl-C. */
  readonly signal: AbortSignal;
};

export type UpOptions = {
  /** Absolute; absent when none was named. */
  readonly directory?: string;
  readonly demo: boolean;
  /** Absent when none was named: then the next free one will do, too. */
  readonly shopPort?: number;
  readonly metricsPort?: number;
  readonly separate: boolean;
  readonly certificateTtlSeconds: number;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  /** Path of an Envoy binary. */
  readonly envoy?: string;
};

export type Story = { readonly name: string; readonly summary: string };
export type StoryAction = 'break' | 'fix' | 'reset';
export type StoryRequest = {
  readonly name: string;
  readonly action: StoryAction;
  readonly directory: string;
};
/** Files relative to the mesh directory, and what to look at now. */
export type StoryResult = {
  readonly applied: readonly string[];
  readonly removed: readonly string[];
  readonly next: string;
};

/** What the program passes in because this room may not look there. */
export type Doors = {
  readonly versions: { readonly weft: string; readonly envoy: string };
  readonly up: (options: UpOptions, io: Io) => Promise<number>;
  readonly internal: (args: readonly string[], io: Io) => Promise<number>;
  readonly listStories: () => Promise<readonly Story[]>;
  readonly applyStory: (request: StoryRequest) => Promise<StoryResult>;
  /** Where the sockets of the mesh with this pid are. */
  readonly socketDirectory: (pid: number) => string;
};
