// @nestjs-cls/transactional is CommonJS and requires NestJS 12, which is ESM. Node can do that, and Jest cannot before Node 24.9:
// this runs the files of the package itself, with what they require imported.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as cls from 'nestjs-cls';
import type * as Package from '@nestjs-cls/transactional';

const imported: Record<string, unknown> = {
  '@nestjs/common': common,
  '@nestjs/core': core,
  'nestjs-cls': cls,
};
const loaded = new Map<string, { exports: unknown }>();

function load(file: string): unknown {
  const known = loaded.get(file);
  if (known) return known.exports;
  const module = { exports: {} as unknown };
  loaded.set(file, module);
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- as `require` itself does
  const run = new Function('module', 'exports', 'require', readFileSync(file, 'utf8')) as (
    ...given: unknown[]
  ) => void;
  run(module, module.exports, (name: string) => {
    if (name.startsWith('.')) return load(`${join(dirname(file), name)}.js`);
    if (name in imported) return imported[name];
    throw new Error(`@nestjs-cls/transactional requires ${name}, which is to be imported here.`);
  });
  return module.exports;
}

const entry = createRequire(join(process.cwd(), 'package.json')).resolve(
  '@nestjs-cls/transactional/dist/src/index.js',
);

export const { ClsPluginTransactional, InjectTransaction, Propagation, TransactionHost, Transactional } =
  load(entry) as typeof Package;
