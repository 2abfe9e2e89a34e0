import { readFile, readdir } from 'node:fs/promises';
import { describe, expect, it } from '@jest/globals';

const folder = new URL('./', import.meta.url);
const lines = (text: string): string[] => text.split('\n').map(line => line.trim());

const page = await readFile(new URL('../../../docs/databases-libraries.md', import.meta.url), 'utf8');
const sections = page.split('\n## ').slice(1, -1);
const names = await readdir(folder);

describe('the page about libraries', () => {
  it.each(sections.map(section => ({ name: section.split('\n')[0]!, section })))(
    'shows the code that is tested for $name',
    async ({ name, section }) => {
      const subject = name === 'MikroORM' ? 'mikro-orm' : name.toLowerCase();
      const file = names.includes(`${subject}.ts`) ? `${subject}.ts` : `${subject}.spec.ts`;
      const code = lines(await readFile(new URL(file, folder), 'utf8'));
      const shown = [...section.matchAll(/```ts\n(.*?)```/gs)].flatMap(([, snippet]) => lines(snippet!));
      expect(shown.length).toBeGreaterThan(0);
      expect(code).toEqual(expect.arrayContaining(shown));
    },
  );

  it('is about all of them', () => {
    const specs = names.filter(name => name.endsWith('.spec.ts') && name !== 'pages.spec.ts');
    expect(sections).toHaveLength(specs.length);
  });
});
