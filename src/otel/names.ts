/**
 * All names that go out. Those of databases are copied from OpenTelemetry's semantic conventions 1.45, where all of them are
 * "Development": they may change, and then they change here. Everything that no convention covers is under `nestjs_pool`.
 */

/** Which conventions the metrics follow. */
export const SEMCONVS = ['1.45', 'dup'] as const;

/** A level goes up and down, a counter only up; both are read when somebody collects. A duration is recorded as it ends. */
type Kind = 'level' | 'counter' | 'duration';

export interface Metric {
  readonly kind: Kind;
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  /** The attribute that tells its series of one pool apart. */
  readonly label?: string;
}

/** What both a pool of connections to a database and any other has, each under names of its own. */
export type Shape =
  'count' | 'limit' | 'idleMax' | 'idleMin' | 'pending' | 'timeouts' | 'createTime' | 'waitTime' | 'useTime';

export const DATABASE: Readonly<Record<Shape, Metric>> = {
  count: {
    kind: 'level',
    name: 'db.client.connection.count',
    unit: '{connection}',
    description: 'The number of connections that are currently in state described by the state attribute.',
    label: 'db.client.connection.state',
  },
  limit: {
    kind: 'level',
    name: 'db.client.connection.limit',
    unit: '{connection}',
    description: 'The maximum number of open connections allowed.',
  },
  idleMax: {
    kind: 'level',
    name: 'db.client.connection.idle.max',
    unit: '{connection}',
    description: 'The maximum number of idle open connections allowed.',
  },
  idleMin: {
    kind: 'level',
    name: 'db.client.connection.idle.min',
    unit: '{connection}',
    description: 'The minimum number of idle open connections allowed.',
  },
  pending: {
    kind: 'level',
    name: 'db.client.connection.pending_requests',
    unit: '{request}',
    description: 'The number of current pending requests for an open connection.',
  },
  timeouts: {
    kind: 'counter',
    name: 'db.client.connection.timeouts',
    unit: '{timeout}',
    description:
      'The number of connection timeouts that have occurred trying to obtain a connection from the pool.',
  },
  createTime: {
    kind: 'duration',
    name: 'db.client.connection.create_time',
    unit: 's',
    description: 'The time it took to create a new connection.',
  },
  waitTime: {
    kind: 'duration',
    name: 'db.client.connection.wait_time',
    unit: 's',
    description: 'The time it took to obtain an open connection from the pool.',
  },
  useTime: {
    kind: 'duration',
    name: 'db.client.connection.use_time',
    unit: 's',
    description: 'The time between borrowing a connection and returning it to the pool.',
  },
};

/** Before 1.45; with `dup` beside `limit`. */
export const DATABASE_MAX: Metric = { ...DATABASE.limit, name: 'db.client.connection.max' };

export const RESOURCE: Readonly<Record<Shape, Metric>> = {
  count: {
    kind: 'level',
    name: 'nestjs_pool.resource.count',
    unit: '{resource}',
    description: 'How many resources there are, by state.',
    label: 'nestjs_pool.resource.state',
  },
  limit: {
    kind: 'level',
    name: 'nestjs_pool.resource.limit',
    unit: '{resource}',
    description: 'How many resources there may be.',
  },
  idleMax: {
    kind: 'level',
    name: 'nestjs_pool.resource.idle.max',
    unit: '{resource}',
    description: 'How many resources may be idle at most.',
  },
  idleMin: {
    kind: 'level',
    name: 'nestjs_pool.resource.idle.min',
    unit: '{resource}',
    description: 'How many resources are kept although nobody borrows.',
  },
  pending: {
    kind: 'level',
    name: 'nestjs_pool.resource.pending_requests',
    unit: '{request}',
    description: 'How many acquires wait for a resource.',
  },
  timeouts: {
    kind: 'counter',
    name: 'nestjs_pool.resource.timeouts',
    unit: '{timeout}',
    description: 'Acquires that got nothing in time.',
  },
  createTime: {
    kind: 'duration',
    name: 'nestjs_pool.resource.create_time',
    unit: 's',
    description: 'How long it took to create a resource.',
  },
  waitTime: {
    kind: 'duration',
    name: 'nestjs_pool.resource.wait_time',
    unit: 's',
    description: 'How long it took from an acquire to its lease.',
  },
  useTime: {
    kind: 'duration',
    name: 'nestjs_pool.resource.use_time',
    unit: 's',
    description: 'How long a resource was lent.',
  },
};

/** What every pool has, and no convention has a name for. */
export const OWN = {
  state: {
    kind: 'level',
    name: 'nestjs_pool.state',
    unit: '{pool}',
    description: '1 for the state that the pool is in, 0 for the others.',
    label: 'nestjs_pool.pool.state',
  },
  abandoned: {
    kind: 'level',
    name: 'nestjs_pool.abandoned',
    unit: '{resource}',
    description: 'Creates and destroys that did not settle in time, and may still do so.',
  },
  acquires: {
    kind: 'counter',
    name: 'nestjs_pool.acquires',
    unit: '{lease}',
    description: 'Leases that were given.',
  },
  waits: {
    kind: 'counter',
    name: 'nestjs_pool.waits',
    unit: '{request}',
    description: 'Acquires that had to queue.',
  },
  creates: {
    kind: 'counter',
    name: 'nestjs_pool.creates',
    unit: '{resource}',
    description: 'Resources that were created.',
  },
  createFailures: {
    kind: 'counter',
    name: 'nestjs_pool.create_failures',
    unit: '{attempt}',
    description: 'Creates that have failed.',
  },
  destroys: {
    kind: 'counter',
    name: 'nestjs_pool.destroys',
    unit: '{resource}',
    description: 'Resources that were destroyed, by reason.',
    label: 'nestjs_pool.destroy.reason',
  },
  sheds: {
    kind: 'counter',
    name: 'nestjs_pool.sheds',
    unit: '{request}',
    description: 'Acquires that were refused because the queue had been standing.',
  },
  refusals: {
    kind: 'counter',
    name: 'nestjs_pool.refusals',
    unit: '{request}',
    description: 'Acquires that were refused: the queue was full, or the pool unavailable or closed.',
  },
  aborts: {
    kind: 'counter',
    name: 'nestjs_pool.aborts',
    unit: '{request}',
    description: 'Acquires whose signal was aborted while they waited.',
  },
  deadlocks: {
    kind: 'counter',
    name: 'nestjs_pool.deadlocks',
    unit: '{request}',
    description: 'Acquires that were refused because all holders waited for more.',
  },
  leaks: {
    kind: 'counter',
    name: 'nestjs_pool.leaks',
    unit: '{lease}',
    description:
      'Leases that were held for too long, by the limit: leakThreshold, maxHold, or the close of the pool.',
    label: 'nestjs_pool.leak.limit',
  },
} as const satisfies Readonly<Record<string, Metric>>;

/** Seconds, as all durations of OpenTelemetry: 1 ms to 30 s. */
export const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Attributes of metrics and spans. */
export const ATTRIBUTES = {
  databasePool: 'db.client.connection.pool.name',
  system: 'db.system.name',
  namespace: 'db.namespace',
  host: 'server.address',
  port: 'server.port',
  error: 'error.type',
  pool: 'nestjs_pool.pool.name',
  waited: 'nestjs_pool.acquire.waited_ms',
  priority: 'nestjs_pool.acquire.priority',
  outcome: 'nestjs_pool.acquire.outcome',
} as const;

/** The name of the tracer and the meter. */
export const SCOPE = 'nestjs-pool';
