/** Why a browser gets no more contexts, and ends when its last one is back. */
export type BrowserRetirement =
  /** It has made `maxUses` contexts. */
  | 'uses'
  /** It is older than `maxLifetime`. */
  | 'age'
  /** Its processes take more than `maxMemoryMb`. */
  | 'memory'
  /** It did not answer, or did not make a context, in time. */
  | 'hung';

/** One browser, as {@link BrowserStats} shows it. */
export interface BrowserSnapshot {
  /** The number of its start, from 1. */
  readonly id: number;
  /** `starting`, `serving`, `retiring`: gets no more contexts; `ending`: is being closed. */
  readonly state: 'starting' | 'serving' | 'retiring' | 'ending';
  /** Of its main process, if that runs on this machine and is known. */
  readonly pid: number | undefined;
  /** How many contexts it has now, lent ones and those that are kept ready. */
  readonly contexts: number;
  /** How many contexts it has been asked for. */
  readonly uses: number;
}

/** The browsers behind a pool of contexts, and what has become of the others. */
export interface BrowserStats {
  readonly browsers: readonly BrowserSnapshot[];
  /** How often `launch` was called. */
  readonly launches: number;
  /** How often that failed. */
  readonly failedLaunches: number;
  /** How many browsers have ended by themselves: crashed, or killed from outside. */
  readonly lost: number;
  /** How many were retired, by reason. */
  readonly retired: Readonly<Record<BrowserRetirement, number>>;
}

/** The counts of {@link BrowserStats}, to be written. */
export class BrowserCounts {
  launches = 0;
  failedLaunches = 0;
  lost = 0;
  readonly retired: Record<BrowserRetirement, number> = { uses: 0, age: 0, memory: 0, hung: 0 };
}
