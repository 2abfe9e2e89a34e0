import type { KnownPoolDefinition, ModuleSettings } from './definition.js';
import type { ModuleMetadata } from '@nestjs/common';
import { checkDeadline, type RequestDeadline } from './deadline.js';
import { checkMilliseconds, checkStart } from './definition.js';
import { checkTelemetry, type PoolTelemetry } from './telemetry.js';

/** What applies to every pool of the application. */
export interface PoolModuleOptions {
  /** Settings for every pool that does not set them itself. */
  defaults?: ModuleSettings;
  /**
   * Milliseconds that a shutdown gives to requests in flight, from the end of the grace time on; then pools take their
   * resources away. Default 10 000.
   */
  shutdownTimeout?: number;
  /**
   * Milliseconds that an answer has to be ended (`response.end()`) when its client has left and nobody can know whether
   * work still goes on, as with callbacks of a handler that answers by hand. What the request has borrowed is not lent to
   * anybody else until then, and destroyed after that. `Infinity` waits for ever. Default 1 000.
   */
  abandonedTimeout?: number;
  /**
   * How long the client of an HTTP request waits, in milliseconds from its arrival: names of headers that say so, or a function of
   * the request. No borrow of the request waits for longer, or is served later. Default: nobody is asked.
   */
  deadline?: RequestDeadline;
  /** What looks at every pool, such as `otel()` of `nestjs-pool/otel`; several as an array. Default: nothing. */
  telemetry?: PoolTelemetry | readonly PoolTelemetry[];
  /** Say through Nest's Logger what an operator must know. Default true. */
  log?: boolean;
}

/** Makes the options of `forRootAsync({ useClass })` or `({ useExisting })`. */
export interface PoolOptionsFactory {
  createPoolOptions(): PoolModuleOptions | Promise<PoolModuleOptions>;
}

export interface PoolModuleRootOptions extends PoolModuleOptions, Pick<ModuleMetadata, 'imports'> {
  pools?: readonly KnownPoolDefinition[];
  /** Can every module inject the pools, without importing this one? Default true. */
  isGlobal?: boolean;
}

/** @throws TypeError naming what is wrong */
export function checkModuleOptions(options: PoolModuleOptions): void {
  const given: unknown = options;
  if (typeof given !== 'object' || given === null) {
    throw new TypeError(
      `PoolModule: its options are ${String(given)}. useFactory, or createPoolOptions(), must return an object.`,
    );
  }
  checkKnown(options);
  checkMilliseconds('shutdownTimeout is', options.shutdownTimeout);
  checkMilliseconds('abandonedTimeout is', options.abandonedTimeout);
  checkDeadline(options.deadline);
  checkTelemetry(options.telemetry);
  if (options.defaults) checkStart('defaults', options.defaults);
  if (options.defaults && 'name' in options.defaults) {
    throw new TypeError('PoolModule: defaults cannot have a name; every pool has its own.');
  }
}

const KNOWN: Readonly<Record<keyof PoolModuleOptions, true>> = {
  defaults: true,
  shutdownTimeout: true,
  abandonedTimeout: true,
  deadline: true,
  telemetry: true,
  log: true,
};
/** They make up the module, and so must be known before any provider is made. */
const STATIC: readonly string[] = ['pools', 'imports', 'isGlobal'];

function checkKnown(options: object): void {
  const unknown = Object.keys(options).find(key => !(key in KNOWN));
  if (unknown === undefined) return;
  if (STATIC.includes(unknown)) {
    throw new TypeError(
      `PoolModule: ${unknown} cannot come from a factory: write forRootAsync({ ${unknown}: …, useFactory: … }). What a ` +
        'pool is made of can come from a useFactory of its own.',
    );
  }
  const known = [...STATIC, ...Object.keys(KNOWN)].join(', ');
  throw new TypeError(`PoolModule: unknown option ${JSON.stringify(unknown)}; known are ${known}.`);
}

/** @throws TypeError when it is no list */
export function checkList(pools: unknown): void {
  if (Array.isArray(pools)) return;
  throw new TypeError(
    'PoolModule: pools is no array; it must be one of definitions, such as [{ name, create }].',
  );
}
