// What is compiled to CommonJS, as Jest compiles this package in applications that are CommonJS, keeps its `import.meta`, and
// does not load then.
import { readFileSync, readdirSync } from 'node:fs';
import { join, sep } from 'node:path';
import ts from 'typescript';

/** Loaded by browsers, never by an application. */
const PAGE = join('dashboard', 'page') + sep;

/**
 * @param {string} directory what was built
 * @returns {string[]} the files there that say it, otherwise than in comments
 */
export function filesWithMeta(directory) {
  return readdirSync(directory, { recursive: true })
    .filter(name => name.endsWith('.js') && !name.startsWith(PAGE))
    .map(name => join(directory, name))
    .filter(path => saysMeta(ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest)));
}

function saysMeta(node) {
  return ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword
    ? true
    : ts.forEachChild(node, child => saysMeta(child) || undefined) === true;
}
