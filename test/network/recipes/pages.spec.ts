import { readFile, readdir } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';

const folder = new URL('../../../docs/recipes/', import.meta.url);
const text = (name: string): Promise<string> => readFile(new URL(name, folder), 'utf8');
const names = await readdir(folder);
const recipes = names.filter(name => name.endsWith('.ts'));
const pages = names.filter(name => name.endsWith('.md') && name !== 'README.md');

describe('the pages of the recipes', () => {
  it.each(recipes)('show %s as it is tested', async recipe => {
    expect(await text(recipe.replace(/ts$/, 'md'))).toContain(`\`\`\`ts\n${await text(recipe)}\`\`\`\n`);
  });

  it.each(pages)('are in their index: %s', async page => {
    expect(await text('README.md')).toContain(`(${page})`);
  });
});
