import { brand } from '../engine/basics/brand.js';

/** Two definitions have the same name. */
export class DuplicatePoolError extends Error {
  override readonly name = 'DuplicatePoolError';

  constructor(pool: string, modules: readonly string[]) {
    super(
      `Pool "${pool}" is defined twice: in ${[...new Set(modules)].join(' and in ')}. Give one of them another name; to use one pool ` +
        'in both, define it once and import the same definition object, or export the module that registers it.',
    );
  }
}

/** A pool was asked for by a name that nobody registered. */
export class UnknownPoolError extends Error {
  override readonly name = 'UnknownPoolError';

  constructor(pool: string, known: readonly string[], where?: string) {
    super(
      `Pool "${pool}"${where ? `, borrowed by ${where},` : ''} is not registered. ` +
        (known.length > 0 ? `Registered are: ${known.join(', ')}.` : 'No pool is registered.') +
        ' Add it to PoolModule.forRoot({ pools }) or PoolModule.forFeature([…]).',
    );
  }
}

/** A pool with `start: 'required'` could not make its first resource, so the application does not boot. */
export class PoolStartError extends Error {
  override readonly name = 'PoolStartError';
}

brand({ DuplicatePoolError, UnknownPoolError, PoolStartError });
