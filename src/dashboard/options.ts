import type {
  CanActivate,
  DynamicModule,
  ForwardReference,
  InjectionToken,
  OptionalFactoryDependency,
  Type,
} from '@nestjs/common';

export const DASHBOARD_OPTIONS = Symbol('nestjs-pool.dashboard-options');

/** What may be known only when the application starts. */
export interface PoolDashboardRuntimeOptions {
  /**
   * true: everybody who can reach the page may see it. For a development machine, and for a port that only operators reach.
   * Default false: without a `guard` the application does not start then.
   */
  open?: boolean | undefined;
  /**
   * Recycle, resize, suspend and resume from the page. It needs a `guard`: who may see is not who may do. Each is confirmed in
   * the page and logged with who has done it. Default false: the page only shows.
   */
  actions?: boolean | undefined;
  /** What stands above the pools, such as the name of the application. Default `Pools`. */
  title?: string | undefined;
  /** How much of the past the page shows, in milliseconds: 10 000 to 3 600 000. A sample a second. Default 300 000. */
  history?: number | undefined;
}

type Guard = Type<CanActivate> | CanActivate;

interface StaticOptions {
  /** Where the page is, below the global prefix if there is one. It may have several segments. Default `pools`. */
  path?: string | undefined;
  /**
   * Who may see it: a guard, or several, all of which have to agree. They are asked for everything: the page, its files, its
   * events, its actions. The guards of your application are asked too, as of every route.
   */
  guard?: Guard | readonly Guard[] | undefined;
  /** Modules that provide what the guards need. */
  imports?: readonly (Type | DynamicModule | Promise<DynamicModule> | ForwardReference)[] | undefined;
  /** Put on the controller, such as `Public()` or `SkipThrottle()`: a page with its files is a dozen requests. */
  decorators?: readonly ClassDecorator[] | undefined;
}

export interface PoolDashboardOptions extends StaticOptions, PoolDashboardRuntimeOptions {}

export interface PoolDashboardAsyncOptions extends StaticOptions {
  inject?: (InjectionToken | OptionalFactoryDependency)[] | undefined;
  /** Called once when the application starts; what it returns is checked as `forRoot` does. */
  useFactory: (
    ...dependencies: never[]
  ) => PoolDashboardRuntimeOptions | Promise<PoolDashboardRuntimeOptions>;
}

export interface Settings {
  readonly open: boolean;
  readonly actions: boolean;
  readonly title: string;
  /** Samples. */
  readonly history: number;
}

interface Rule {
  readonly ok: (value: unknown) => boolean;
  readonly allowed: string;
}

const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isGuard = (value: unknown): boolean =>
  typeof value === 'function' || typeof (value as Partial<CanActivate> | null)?.canActivate === 'function';

const RUNTIME_RULES: Readonly<Record<keyof PoolDashboardRuntimeOptions, Rule>> = {
  open: { ok: isFlag, allowed: 'true or false' },
  actions: { ok: isFlag, allowed: 'true or false' },
  title: { ok: value => typeof value === 'string' && value !== '', allowed: 'a text' },
  history: {
    ok: value => typeof value === 'number' && value >= 10_000 && value <= 3_600_000,
    allowed: 'milliseconds from 10 000 to 3 600 000',
  },
};

const STATIC_RULES: Readonly<Record<keyof StaticOptions, Rule>> = {
  path: {
    ok: value => typeof value === 'string' && /^\/?[\w.~-]+(\/[\w.~-]+)*\/?$/.test(value),
    allowed: "segments of letters, digits, '-', '_', '.' and '~', such as 'ops/pools'",
  },
  guard: {
    ok: value => (Array.isArray(value) ? value.length > 0 && value.every(isGuard) : isGuard(value)),
    allowed: 'a class with canActivate(), or an array of them that is not empty',
  },
  imports: { ok: Array.isArray, allowed: 'an array of modules' },
  decorators: {
    ok: value => Array.isArray(value) && value.every(each => typeof each === 'function'),
    allowed: 'an array of class decorators',
  },
};

const ASYNC_RULES: Readonly<Record<'inject' | 'useFactory', Rule>> = {
  inject: { ok: Array.isArray, allowed: 'an array of tokens' },
  useFactory: { ok: value => typeof value === 'function', allowed: 'a function' },
};

/** @throws TypeError */
export function checkStatic(options: PoolDashboardOptions): void {
  check(options, { ...STATIC_RULES, ...RUNTIME_RULES });
}

/** @throws TypeError */
export function checkAsync(options: PoolDashboardAsyncOptions): void {
  check(options, { ...STATIC_RULES, ...ASYNC_RULES });
  if (!(options as Partial<PoolDashboardAsyncOptions>).useFactory) {
    throw new TypeError(
      'PoolDashboardModule: forRootAsync() needs useFactory, a function that returns options.',
    );
  }
}

/**
 * What the page is to be, where it is allowed to be at all.
 *
 * @throws TypeError for a wrong option, and where neither a guard nor `open` says who may see it
 */
export function settingsOf(options: PoolDashboardRuntimeOptions, isGuarded: boolean): Settings {
  check(options, RUNTIME_RULES);
  const { open = false, actions = false, title = 'Pools', history = 300_000 } = options;
  if (!isGuarded && actions) {
    throw new TypeError(
      `PoolDashboardModule: actions need a guard: with ${open ? 'open: true' : 'none'} anybody could suspend your pools. Write ` +
        'PoolDashboardModule.forRoot({ guard: YourGuard, actions: true }), or leave actions out.',
    );
  }
  if (!isGuarded && !open) {
    throw new TypeError(
      'PoolDashboardModule: nobody has said who may see the live page, so the application does not start. Write ' +
        'PoolDashboardModule.forRoot({ guard: YourGuard }) with a guard of NestJS, or PoolDashboardModule.forRoot({ open: true }) ' +
        'if everybody who can reach it may: it tells who borrows what, and stacks of your code.',
    );
  }
  return { open, actions, title, history: Math.round(history / 1_000) };
}

function check(options: object, rules: Readonly<Record<string, Rule>>): void {
  if (typeof options !== 'object' || (options as unknown) === null) {
    throw new TypeError('PoolDashboardModule: options must be an object, such as { guard: YourGuard }.');
  }
  for (const [name, value] of Object.entries(options)) {
    const rule = Object.hasOwn(rules, name) ? rules[name] : undefined;
    if (!rule && Object.hasOwn(STATIC_RULES, name)) {
      throw new TypeError(
        `PoolDashboardModule: ${name} cannot come from a factory: write forRootAsync({ ${name}: …, useFactory: … }).`,
      );
    }
    if (!rule) {
      throw new TypeError(
        `PoolDashboardModule: there is no option ${name}; there are ${Object.keys(rules).join(', ')}.`,
      );
    }
    if (value !== undefined && !rule.ok(value)) {
      throw new TypeError(`PoolDashboardModule: ${name} is ${said(value)}; it must be ${rule.allowed}.`);
    }
  }
}

function said(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
    ? JSON.stringify(value)
    : value === null
      ? 'null'
      : Array.isArray(value)
        ? 'an array'
        : typeof value;
}
