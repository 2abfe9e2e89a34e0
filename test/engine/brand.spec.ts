import { describe, expect, it } from '@jest/globals';
import { brand } from '../../src/engine/basics/brand.js';
import * as all from '../../src/index.js';

const errors = Object.entries(all).filter(
  ([, value]) => typeof value === 'function' && value.prototype instanceof Error,
);

describe('a brand', () => {
  it.each([...errors, ['KeyedPool', all.KeyedPool] as const])('is what %s has', (name, type) => {
    expect(Object.getOwnPropertySymbols((type as typeof all.KeyedPool).prototype)).toContain(
      Symbol.for(`nestjs-pool.${name}`),
    );
  });

  it('keeps the name of a class that a minifier has renamed, and so that of its errors', () => {
    class A extends Error {
      constructor() {
        super();
        this.name = new.target.name;
      }
    }
    class Own extends A {}
    brand({ BrandSpecError: A });
    expect(new A().name).toBe('BrandSpecError');
    expect(new Own().name).toBe('Own');
  });

  it.each([undefined, null, 'text', 1, {}, () => undefined, new Error('other'), Object.create(null)])(
    'is not found in %p',
    value => {
      expect(value instanceof all.PoolTimeoutError).toBe(false);
    },
  );
});
