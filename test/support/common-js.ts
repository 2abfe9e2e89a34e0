import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/**
 * A package that is CommonJS and requires NestJS 12, which is ESM. Node can do that, and Jest cannot before Node 24.9: this runs
 * the files of the package itself, with what they require imported.
 *
 * @param entry of the package: its name, and where its files begin
 * @param imported what they require, by its name
 */
export function loadCommonJs(entry: string, imported: Readonly<Record<string, unknown>>): unknown {
  const loaded = new Map<string, { exports: unknown }>();
  const { resolve } = createRequire(join(process.cwd(), 'package.json'));

  const load = (file: string): unknown => {
    const known = loaded.get(file);
    if (known) return known.exports;
    const module = { exports: {} as unknown };
    loaded.set(file, module);
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- as `require` itself does
    const run = new Function('module', 'exports', 'require', readFileSync(file, 'utf8')) as (
      ...given: unknown[]
    ) => void;
    run(module, module.exports, (name: string) => {
      if (name.startsWith('.')) return load(resolve(join(dirname(file), name)));
      if (name in imported) return imported[name];
      throw new Error(`${entry} requires ${name}, which is to be imported here.`);
    });
    return module.exports;
  };
  return load(resolve(entry));
}
