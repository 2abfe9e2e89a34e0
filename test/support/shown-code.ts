import { readFile } from 'node:fs/promises';

const lines = (text: string): string[] =>
  text.split('\n').map(line => line.replace(/(?<=\S) +\/\/ .*/, '').trim());

/** The lines of all code that a page shows. */
export async function shownOn(page: string): Promise<string[]> {
  const text = await readFile(new URL(`../../docs/${page}`, import.meta.url), 'utf8');
  return [...text.matchAll(/```ts\n(.*?)```/gs)].flatMap(([, snippet]) => lines(snippet!));
}

/** The lines of a test, which has to have them. */
export async function codeOf(test: string): Promise<string[]> {
  return lines(await readFile(new URL(test), 'utf8'));
}
