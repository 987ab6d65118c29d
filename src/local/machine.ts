import type { Logger } from '../base/log.ts';
import type { Clock } from '../base/time.ts';
import type { PodAddress } from './addresses.ts';
import type { Registry } from './agent-client.ts';
import type { PodTemplate } from './pod-set.ts';

/** One pod: what it is, and never changes. */
export type Pod = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** RFC 3339. */
  readonly createdAt: string;
  /** Of the set that asked for it. */
  readonly setKey: string;
  readonly ownerKind: string;
  readonly workload: string;
  readonly hash: string;
  readonly template: PodTemplate;
  readonly address: PodAddress;
};

/** How a pod is at the moment. Only the pod's own run changes it. */
export type PodState = {
  phase: 'pending' | 'running' | 'stopping' | 'gone';
  appReady: boolean;
  proxyReady: boolean;
  /** Processes in the mesh's process namespace; 0 when there is none. */
  appPid: number;
  proxyPid: number;
  restarts: number;
  proxyRestarts: number;
  /** Why it is not ready, in words; `''` when it is. */
  message: string;
  /** When the app's process was started, RFC 3339; `''` before the first. */
  startedAt: string;
  /** What keeps its app from running, as a kubelet calls it. Stays, over all further tries, until the app is ready. */
  trouble: Trouble | undefined;
};
export type Trouble = {
  readonly reason: 'CrashLoopBackOff' | 'CreateContainerError';
  readonly message: string;
};

export function isReady(pod: Pod, state: PodState): boolean {
  return state.appReady && (state.proxyReady || !pod.template.meshed);
}

/** What pods share: the machine they run on. */
export type Machine = {
  /** Where apps start: the user's directory. */
  readonly directory: string;
  /** Covered for every pod. */
  readonly stateDirectory: string;
  /** PATH of apps. */
  readonly path: string;
  readonly envoy: string;
  /** Text of a sidecar's bootstrap. */
  readonly bootstrap: (pod: Pod) => string;
  readonly issueToken: (pod: Pod, ttl: number) => Promise<string>;
  readonly registry: Registry;
  readonly slots: Slots;
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  /** How long after a change of endpoints the last proxy has surely heard of it, in milliseconds. */
  readonly propagation: number;
  /** A pod's state has changed. */
  readonly changed: () => void;
  /** Resolves when all that was changed before is published, however often that is tried; or when the signal aborts. */
  readonly published: (signal: AbortSignal) => Promise<void>;
  /** The whole mesh ends: no politeness between pods any more. */
  readonly ending: AbortSignal;
};

export function podDirectory(pod: Pod): string {
  return `/run/weft/pods/${pod.namespace}_${pod.name}`;
}

export function proxyDirectory(pod: Pod): string {
  return `/run/weft/w/${pod.namespace}_${pod.name}`;
}

/** So many things at once and no more; the others wait in line. */
export type Slots = {
  /** Resolves to a function that gives the place back; more calls of it do nothing. */
  readonly take: () => Promise<() => void>;
};

export function createSlots(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    take: async () => {
      if (free > 0) free--;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      let held = true;
      return () => {
        if (!held) return;
        held = false;
        const next = waiting.shift();
        if (next) next();
        else free++;
      };
    },
  };
}
