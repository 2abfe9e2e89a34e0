// The layers: arrows point down only.
//
//   index      may import everything, nothing imports it
//   terminus   observe   resources   testing      beside each other, never each other
//   module
//   transports
//   scope
//   engine     imports node: and itself

/** A layer, and all that its files may import: paths below src/, and packages. */
const LAYERS = {
  engine: { layers: [], packages: [] },
  scope: { layers: ['engine'], packages: [] },
  transports: { layers: ['scope', 'engine'], packages: ['@nestjs/', 'rxjs'] },
  module: { layers: ['transports', 'scope', 'engine'], packages: ['@nestjs/', 'rxjs', 'reflect-metadata'] },
  terminus: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/'] },
  observe: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/'] },
  testing: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/'] },
  resources: { layers: ['engine'], packages: ['pg'] },
};

const alternatives = names => `(${names.join('|')})`;

const layerRules = Object.entries(LAYERS).map(([layer, { layers, packages }]) => {
  const packagePaths = packages.map(name => `node_modules/(@types/)?${name}${name.endsWith('/') ? '' : '/'}`);
  const allowed = ['node:', 'itself', ...layers.map(other => `src/${other}`), ...packages];
  return {
    name: `${layer}-imports`,
    comment: `src/${layer} may import ${allowed.join(', ')}.`,
    severity: 'error',
    from: { path: `^src/${layer}/` },
    to: {
      dependencyTypesNot: ['core'],
      pathNot: [`^src/${alternatives([layer, ...layers])}/`, ...packagePaths],
    },
  };
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    {
      name: 'known-layers',
      comment: 'A file under src belongs to a layer; give a new folder its place in .dependency-cruiser.cjs.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/(${alternatives(Object.keys(LAYERS))}/|index\\.ts$)` },
    },
    {
      name: 'nothing-imports-index',
      comment: 'src/index.ts is for users: import from the file that defines the thing.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/index\\.ts$' },
    },
    {
      name: 'src-alone',
      comment: 'What is published imports nothing that is not: no tests, no examples, no scripts.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|examples|scripts|bench)/' },
    },
    {
      name: 'no-deep-nest-imports',
      comment: 'Import from the roots of NestJS packages: their inner paths differ between 11 and 12.',
      severity: 'error',
      from: { path: '^src/' },
      to: {
        path: '^node_modules/@nestjs/',
        pathNot: '^node_modules/@nestjs/[^/]+/(dist/)?index\\.(js|d\\.ts)$',
      },
    },
    {
      name: 'no-cycles',
      comment: 'Two files that import each other are one idea in two places. Types may.',
      severity: 'error',
      from: { path: '^src/' },
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'Imports something that does not exist.',
      severity: 'error',
      from: { path: '^src/' },
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'node', 'default'],
    },
  },
};
