/** How a member of the factory, or a hook, answers: when the run says so (`later`), or at once in one of four ways. */
export type Manner = 'later' | 'promised' | 'sync' | 'throws' | 'rejects';
/** What becomes of a call that is answered later; only a validate and a reset can refuse. What a hook says is of no account. */
export type Ending = 'well' | 'badly' | 'refused';
export type Hook = 'onCreate' | 'onBorrow' | 'onReturn';
export type Member = 'create' | 'validate' | 'reset' | 'destroy' | Hook;
/** User code that the pool calls, and that may come back into it. */
export type Entrance = Member | 'isFatal' | 'onAcquire' | 'onRelease' | 'onDestroy';
export type Priority = 'high' | 'normal' | 'low';

/** What an acquire is asked with. */
export interface Asked {
  readonly timeout?: number | undefined;
  /** Its signal is aborted `later`, by a command, or before. */
  readonly signal?: 'later' | 'aborted' | undefined;
  readonly priority?: Priority | undefined;
  readonly owner?: number | undefined;
  /** By `pool.use()`; its work is done when the lease would be released. */
  readonly use?: boolean | undefined;
}

/** How many there may be. */
export interface Limits {
  readonly min: number;
  readonly max: number;
  readonly overflow: number;
}

/** One thing that somebody does. `which` picks among those there are; with none there, nothing happens. */
export type Command =
  | ({ readonly do: 'acquire' } & Asked)
  | { readonly do: 'tryAcquire' }
  | { readonly do: 'abort'; readonly which: number }
  | { readonly do: 'release'; readonly which: number; readonly error?: 'fatal' | 'harmless' | undefined }
  | { readonly do: 'destroy'; readonly which: number }
  | { readonly do: 'detach'; readonly which: number }
  | { readonly do: 'again'; readonly which: number; readonly how: 'release' | 'destroy' | 'detach' }
  | { readonly do: 'invalidate'; readonly which: number }
  | { readonly do: 'settle'; readonly how: Ending }
  | { readonly do: 'manner'; readonly of: Member; readonly is: Manner }
  | { readonly do: 'reenter'; readonly from: Entrance; readonly with: Command }
  | { readonly do: 'pass'; readonly ms: number }
  | ({ readonly do: 'resize' } & Limits)
  | { readonly do: 'suspend' }
  | { readonly do: 'resume' }
  | { readonly do: 'recycle'; readonly spread: number }
  | { readonly do: 'start'; readonly timeout: number }
  | { readonly do: 'close'; readonly timeout: number; readonly drain: boolean };

/** What is done before anything can settle; then the world comes to rest, and is checked. */
export type Moment = readonly Command[];

/** The members of a union of commands by their name. */
export type CommandNamed<D extends Command['do']> = Extract<Command, { readonly do: D }>;
