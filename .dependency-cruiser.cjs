// The layers: arrows point down only.
//
//   index      may import everything, nothing imports it
//   http pg    HTTP sessions, and pools as pg.Pools, as providers: over module and resources
//   cls        transactions of pools for @nestjs-cls/transactional, likewise
//   terminus   otel   prometheus   dashboard   resources   testing      beside each other, never each other
//   module
//   transports
//   scope
//   cheap      pools of cheap objects: knows only errors and rules of the engine
//   engine     imports node: and itself; it has rooms, with an order of their own, see ENGINE

/** A layer, and all that its files may import: paths below src/, and packages. */
const LAYERS = {
  engine: { layers: [], packages: [] },
  scope: { layers: ['engine'], packages: [] },
  transports: { layers: ['scope', 'engine'], packages: ['@nestjs/', 'rxjs'] },
  module: { layers: ['transports', 'scope', 'engine'], packages: ['@nestjs/', 'rxjs', 'reflect-metadata'] },
  terminus: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/'] },
  otel: { layers: ['module', 'scope', 'engine'], packages: ['@opentelemetry/api'] },
  prometheus: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/', 'prom-client'] },
  dashboard: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/', 'rxjs'] },
  testing: { layers: ['module', 'scope', 'engine'], packages: ['@nestjs/'] },
  resources: { layers: ['engine'], packages: ['pg', 'undici', 'mysql2', 'ioredis', 'redis'] },
  http: { layers: ['resources', 'module', 'engine'], packages: ['@nestjs/', 'undici'] },
  pg: { layers: ['resources', 'module', 'scope', 'engine'], packages: ['@nestjs/', 'pg'] },
  cls: {
    layers: ['resources', 'module', 'scope', 'engine'],
    packages: ['@nestjs/', '@nestjs-cls/transactional', 'pg'],
  },
  cheap: { layers: ['engine'], packages: [] },
};

/** The rooms of src/engine, and the files at its door: each may import itself and those above it here. */
const ENGINE = [
  'basics/', // knows nothing of pools
  'time/', // clock, timer, deadlines
  'reports/', // what a pool tells: counts, latencies, events
  'errors.ts',
  'options/', // what a pool is told: settings, the factory, the options of calls
  'transaction.ts', // one that is open on what is lent
  'lease.ts', // sees a slot as Lent: so they need not know each other
  'witness.ts', // what those who watch are told of acquires
  'slots/', // the life of a resource
  'lending/', // what a borrower has of it
  'queue/', // who waits
  'supply/', // when to make more
  'interior.ts',
  'state/', // can it serve, and what is said when it cannot
  'advice/', // what its measurements say about it
  'exchange.ts',
  'preparations.ts',
  'returns.ts',
  'assembly.ts',
  'pool.ts',
  'keyed/', // a pool for each key, under one total
  'index.ts',
];

const alternatives = names => `(${names.join('|')})`;

const layerRules = Object.entries(LAYERS).map(([layer, { layers, packages }]) => {
  const packagePaths = packages.map(name => `node_modules/(@types/)?${name}${name.endsWith('/') ? '' : '/'}`);
  const allowed = ['node:', 'itself', ...layers.map(other => `src/${other}`), ...packages];
  return {
    name: `${layer}-imports`,
    comment: `src/${layer} may import ${allowed.join(', ')}.`,
    severity: 'error',
    // With its door, if that stands beside the folder.
    from: { path: `^src/${layer}(/|\\.ts$)` },
    to: {
      dependencyTypesNot: ['core'],
      pathNot: [`^src/${alternatives([layer, ...layers])}/`, ...packagePaths],
    },
  };
});

const enginePaths = places =>
  `^src/engine/${alternatives(places.map(place => place.replace(/\.ts$/, '\\.ts$')))}`;

const roomRules = ENGINE.slice(0, -1).map((place, i) => ({
  name: `engine-${place.replace(/\W.*/, '')}-imports`,
  comment: `src/engine/${place} may import ${['itself', ...ENGINE.slice(0, i)].join(', ')}.`,
  severity: 'error',
  from: { path: enginePaths([place]) },
  to: { path: enginePaths(ENGINE.slice(i + 1)) },
}));

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    ...layerRules,
    ...roomRules,
    {
      name: 'known-rooms',
      comment: 'A file under src/engine has a room; give a new one its place in .dependency-cruiser.cjs.',
      severity: 'error',
      from: {},
      to: { path: '^src/engine/', pathNot: enginePaths(ENGINE) },
    },
    {
      name: 'no-barrels-in-rooms',
      comment: 'A room has no index.ts: import from the file that defines the thing.',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/engine/[^/]+/index\\.ts$' },
    },
    {
      name: 'no-cycles-in-engine',
      comment: 'Nor by way of types: say what is needed of the other in an interface, as lease.ts does.',
      severity: 'error',
      from: { path: '^src/engine/' },
      to: { circular: true },
    },
    {
      name: 'known-layers',
      comment: 'A file under src belongs to a layer; give a new folder its place in .dependency-cruiser.cjs.',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `^src/(${alternatives(Object.keys(LAYERS))}(/|\\.ts$)|index\\.ts$)` },
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
