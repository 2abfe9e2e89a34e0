import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ownPath } from '../engine/basics/own-files.js';

/** The page and all that it loads. */
const FILES = [
  'index.html',
  'style.css',
  'page.js',
  'connection.js',
  'card.js',
  'resources.js',
  'lists.js',
  'chart.js',
  'actions.js',
  'text.js',
] as const;

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
};

export interface PageFile {
  readonly type: string;
  readonly text: string;
}

/**
 * Reads them once, when the application starts.
 *
 * @throws Error where they are not among the files of this library
 */
export function readPage(): ReadonlyMap<string, PageFile> {
  const directory = ownPath('dashboard/page');
  try {
    return new Map(
      FILES.map(name => {
        const text = readFileSync(join(directory ?? '', name), 'utf8');
        return [name, { type: TYPES[name.split('.')[1]!]!, text }];
      }),
    );
  } catch (cause) {
    throw new Error(
      `PoolDashboardModule: the files of the live page are not in ${directory ?? 'its package'}. Where you bundle your application, leave ` +
        'nestjs-pool out of the bundle.',
      { cause },
    );
  }
}
