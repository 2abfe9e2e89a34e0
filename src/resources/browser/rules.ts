import type { BrowserLike, ContextLike } from './shapes.js';

/** What the browsers of a pool go by. All durations are milliseconds. */
export interface BrowserRules {
  readonly launch: (how: { readonly signal: AbortSignal }) => BrowserLike | PromiseLike<BrowserLike>;
  readonly newContext: ((browser: BrowserLike) => ContextLike | PromiseLike<ContextLike>) | undefined;
  readonly contextsPerBrowser: number;
  /** Contexts that a browser makes. */
  readonly maxUses: number;
  readonly maxLifetime: number;
  /** 0 to 1: a browser lives between (1 − this) × `maxLifetime` and `maxLifetime`. */
  readonly lifetimeJitter: number;
  readonly maxMemoryMb: number;
  /** How long a context may take to close, a browser to close, and a process to end once it is killed: each of them. */
  readonly patience: number;
  /** A browser that does not answer for as long hangs. */
  readonly pingTimeout: number;
  readonly now: () => number;
}
