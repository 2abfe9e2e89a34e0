import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { plainPath } from '../../../src/resources/http/plain-path.js';

const BASE = new URL('https://api.example.com/v2/');

/** What URLs are made of, and what they may be mistaken for. */
const PIECES = [
  ...[
    '/',
    '//',
    '.',
    '..',
    '...',
    '?',
    '#',
    ':',
    '@',
    '\\',
    '%',
    '%2e',
    '%2E%2e',
    '%20',
    '&',
    '=',
    ';',
    ',',
    '+',
    '*',
  ],
  ...[
    'a',
    'users',
    '1',
    'a.json',
    'http:',
    'https://evil.example',
    'javascript:',
    '//evil.example',
    'user:pass@',
  ],
  ...[
    ' ',
    '\t',
    '\n',
    '\r',
    '"',
    "'",
    '<',
    '>',
    '`',
    '{',
    '}',
    '|',
    '^',
    '[',
    ']',
    'ä',
    '漢',
    '\u0000',
    '\u202e',
    '~',
  ],
];

describe('a path that is plainly written', () => {
  it('is what a URL makes of it, and goes where that goes', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...PIECES), { maxLength: 8 }), pieces => {
        const text = pieces.join('');
        const path = plainPath(text, BASE.pathname);
        if (path === undefined) return;
        const { origin, pathname, search, hash, username } = new URL(text, BASE);
        expect({ origin, path: pathname + search, hash, username }).toEqual({
          origin: BASE.origin,
          path,
          hash: '',
          username: '',
        });
      }),
      { numRuns: 20_000, seed: 1 },
    );
  });

  it.each([
    ['/orders/1?full=1', '/orders/1?full=1'],
    ['users', '/v2/users'],
    ['users/me.json?q=a%20b', '/v2/users/me.json?q=a%20b'],
    ['/', '/'],
    ['/a.b/..c/d~e', '/a.b/..c/d~e'],
  ])('is known without reading it: %s', (text, path) => {
    expect(plainPath(text, BASE.pathname)).toBe(path);
  });

  it.each([
    '',
    '?a',
    '//evil.example',
    'http://evil.example',
    'a:b',
    '/a/../b',
    '/a/.',
    '/%2e%2e/b',
    '/a b',
    '/a#b',
    '/a\\b',
  ])('is not this: %j', text => {
    expect(plainPath(text, BASE.pathname)).toBeUndefined();
  });
});
