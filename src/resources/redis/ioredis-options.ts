import type { RedisOptions } from 'ioredis';

/** What the pool decides, since it replaces a connection that has broken: that lost WATCH, SELECT and subscriptions. */
export const POOLS_OWN = [
  ...['retryStrategy', 'reconnectOnError', 'maxRetriesPerRequest', 'enableOfflineQueue', 'lazyConnect'],
  ...[
    'autoResubscribe',
    'autoResendUnfulfilledCommands',
    'enableReadyCheck',
    'maxLoadingRetryTime',
    'monitor',
  ],
  ...['sentinelRetryStrategy', 'sentinelReconnectStrategy', 'failoverDetector', 'sentinelMaxConnections'],
  ...['offlineQueue', 'commandQueue'],
] as const satisfies readonly (keyof RedisOptions)[];

export type Passed = Omit<RedisOptions, (typeof POOLS_OWN)[number] | 'name' | 'keepAlive'>;

/** All that ioredis takes, but for what the pool decides. The compiler sees to it that none is missing. */
export const CLIENT_OPTIONS: Readonly<Record<keyof Passed, true>> = {
  Connector: true,
  autoPipeliningIgnoredCommands: true,
  blockingTimeout: true,
  blockingTimeoutGrace: true,
  clientInfoTag: true,
  commandTimeout: true,
  connectTimeout: true,
  connectionName: true,
  db: true,
  disableClientInfo: true,
  disconnectTimeout: true,
  enableAutoPipelining: true,
  enableTLSForSentinelMode: true,
  family: true,
  himportFieldsets: true,
  host: true,
  keyPrefix: true,
  natMap: true,
  noDelay: true,
  password: true,
  path: true,
  port: true,
  preferredSlaves: true,
  protocol: true,
  readOnly: true,
  replyMapping: true,
  role: true,
  scripts: true,
  sentinelCommandTimeout: true,
  sentinelPassword: true,
  sentinelTLS: true,
  sentinelUsername: true,
  sentinels: true,
  showFriendlyErrorStack: true,
  socketTimeout: true,
  stringNumbers: true,
  tls: true,
  updateSentinels: true,
  username: true,
};
