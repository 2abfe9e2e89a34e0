import { createServer } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { listen } from './listen.js';

const PRODUCTS = [
  { id: 'apple', name: 'Apple' },
  { id: 'pear', name: 'Pear' },
  { id: 'plum', name: 'Plum' },
];
const LINES = 1_000_000;

/** An upstream that is well. */
export function startCatalog(): Promise<string> {
  return listen(
    createServer((request, response) => {
      switch (request.url) {
        case '/products':
          response.setHeader('content-type', 'application/json').end(JSON.stringify(PRODUCTS));
          return;
        case '/export':
          response.setHeader('content-type', 'text/csv');
          // It stops when whoever reads it has left.
          pipeline(Readable.from(lines()), response).catch(() => undefined);
          return;
        default:
          response.writeHead(404).end();
      }
    }),
  );
}

/** A thousand at a time. */
function* lines(): Generator<string> {
  for (let from = 0; from < LINES; from += 1_000) {
    yield Array.from({ length: 1_000 }, (_, i) => `${from + i},product ${from + i},in stock\n`).join('');
  }
}
