// Runs an example: `npm start` the shop, `npm start tenants` another. It runs in this very process, and package.json says
// `exec`: npm hands a SIGTERM to the process it started, and a shell there would not pass it on.
import { readFileSync } from 'node:fs';
import { buildExamples } from './build-examples.mjs';

const { projects } = JSON.parse(readFileSync(new URL('../nest-cli.json', import.meta.url), 'utf8'));
const [name = 'orders'] = process.argv.slice(2);
if (!Object.hasOwn(projects, name)) {
  console.error(`There is no example "${name}". There are: ${Object.keys(projects).join(', ')}.`);
  process.exit(1);
}
console.log(`Building the library and the example ${name} …`);
buildExamples(name);
await import(`../dist/examples/${name}/main.js`);
