import type { KnownPoolDefinition, ModuleSettings } from './definition.js';
import type { ModuleMetadata } from '@nestjs/common';
import { checkMilliseconds, checkStart } from './definition.js';

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
  checkMilliseconds('shutdownTimeout is', options.shutdownTimeout);
  checkMilliseconds('abandonedTimeout is', options.abandonedTimeout);
  if (options.defaults) checkStart('defaults', options.defaults);
  if (options.defaults && 'name' in options.defaults) {
    throw new TypeError('PoolModule: defaults cannot have a name; every pool has its own.');
  }
}
