import { expect, it } from '@jest/globals';
import { readFileSync, writeFileSync } from 'node:fs';
import { matrix } from './matrix.js';

const DOCS = new URL('../../../docs/request-scope.md', import.meta.url);
const PLACE = /(<!-- What the cases in test\/messages\/suite show[^>]*-->\n\n)[^]*?(\n\n<!-- end -->)/;

it('the table in docs/request-scope.md says what the cases show', () => {
  const text = readFileSync(DOCS, 'utf8');
  const [found] = PLACE.exec(text) ?? [];
  const right = text.replace(PLACE, (_, before: string, after: string) => before + matrix() + after);
  // UPDATE_MATRIX=1 npm run jest -- --config test/messages/jest.config.js matrix
  if (process.env.UPDATE_MATRIX) writeFileSync(DOCS, right);
  else expect({ found: found !== undefined, text }).toEqual({ found: true, text: right });
});
