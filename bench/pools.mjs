// The contenders. Each is made with the same size, as its users would make it, and called as they would call it: what
// `acquire` returns is what that pool gives out, and `release` takes it back. Everything else is left at its default.
import { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Pool } from '../dist/lib/engine/index.js';

const require = createRequire(import.meta.url);
const { dependencies } = require('./package.json');

/** What every borrower of every pool may have to wait at most, in milliseconds; long, where it is not what is measured. */
const PATIENCE = 600_000;

export const CONTENDERS = {
  'nestjs-pool': ({ max, create, timeout = PATIENCE, ...more }) => {
    const pool = new Pool({ create, destroy: () => undefined, max, acquireTimeout: timeout, ...more });
    return {
      acquire: () => pool.acquire(),
      release: lease => lease.release(),
      abortable: signal => pool.acquire({ signal }),
      size: () => pool.stats().total,
      waiting: () => pool.stats().waiting,
      close: () => pool.close(),
    };
  },
  'plain array': ({ max, create }) => {
    const pool = new ArrayPool();
    for (let i = 0; i < max; i++) pool.release(create());
    return {
      acquire: () => pool.acquire(),
      release: item => pool.release(item),
      waiting: () => pool.waiting.length - pool.next,
      close: () => undefined,
    };
  },
  'generic-pool': ({ max, create, timeout = PATIENCE }) => {
    const { createPool } = require('generic-pool');
    const factory = { create: async () => create(), destroy: async () => undefined };
    const pool = createPool(factory, { max, acquireTimeoutMillis: timeout });
    return {
      acquire: () => pool.acquire(),
      release: item => pool.release(item),
      size: () => pool.size,
      waiting: () => pool.pending,
      close: () => pool.drain().then(() => pool.clear()),
    };
  },
  tarn: ({ max, create, timeout = PATIENCE }) => {
    const tarn = require('tarn');
    const pool = new tarn.Pool({
      create: async () => create(),
      destroy: () => undefined,
      min: 0,
      max,
      acquireTimeoutMillis: timeout,
    });
    return {
      acquire: () => pool.acquire().promise,
      release: item => pool.release(item),
      pending: () => pool.acquire(),
      size: () => pool.numUsed() + pool.numFree() + pool.numPendingCreates(),
      waiting: () => pool.numPendingAcquires(),
      close: () => pool.destroy(),
    };
  },
  'lightning-pool': ({ max, create, timeout = PATIENCE }) => {
    const lightning = require('lightning-pool');
    const factory = { create: async () => create(), destroy: async () => undefined };
    const pool = lightning.createPool(factory, {
      max,
      acquireTimeoutMillis: timeout,
      // 1,000 by default: it would refuse the others.
      maxQueue: 10_000_000,
    });
    return {
      acquire: () => pool.acquire(),
      release: item => pool.release(item),
      size: () => pool.size,
      waiting: () => pool.pending,
      close: () => pool.close(true),
    };
  },
  'sequelize-pool': ({ max, create, timeout = PATIENCE }) => {
    const sequelize = require('sequelize-pool');
    const pool = new sequelize.Pool({
      name: 'bench',
      create: async () => create(),
      destroy: () => undefined,
      validate: () => true,
      min: 0,
      max,
      acquireTimeoutMillis: timeout,
      idleTimeoutMillis: 600_000,
    });
    return {
      acquire: () => pool.acquire(),
      release: item => pool.release(item),
      size: () => pool.size,
      waiting: () => pool.waiting,
      close: () => pool.drain().then(() => pool.destroyAllNow()),
    };
  },
  'pg-pool': ({ max, create, timeout = PATIENCE }) => {
    const PgPool = require('pg-pool');
    const pool = new PgPool({
      max,
      Client: clientThatIs(create),
      connectionTimeoutMillis: timeout,
      idleTimeoutMillis: 600_000,
    });
    return {
      acquire: () => pool.connect(),
      release: client => client.release(),
      size: () => pool.totalCount,
      waiting: () => pool.waitingCount,
      close: () => pool.end(),
    };
  },
};

/** What is shown beside the numbers. */
export const SETTINGS = {
  'nestjs-pool': `all defaults but \`max\` and \`acquireTimeout\``,
  'plain array':
    '`pop` and `push`, a promise for each acquire and a queue of those that wait: no limits, no time, no checks',
  'generic-pool': `${dependencies['generic-pool']}, \`max\`, \`acquireTimeoutMillis\``,
  tarn: `${dependencies.tarn}, \`max\`, \`acquireTimeoutMillis\``,
  'lightning-pool': `${dependencies['lightning-pool']}, \`max\`, \`acquireTimeoutMillis\`, \`maxQueue\` 10,000,000`,
  'sequelize-pool': `${dependencies['sequelize-pool']}, \`max\`, \`acquireTimeoutMillis\`, \`idleTimeoutMillis\` 600,000`,
  'pg-pool': `${dependencies['pg-pool']}, \`max\`, \`connectionTimeoutMillis\`, \`idleTimeoutMillis\` 600,000, a client that does nothing`,
};

export const OURS = 'nestjs-pool';
export const LIMIT = 'plain array';
export const PEERS = Object.keys(CONTENDERS).filter(name => name !== OURS && name !== LIMIT);

/** A pool that has lent everything once, as one in use has. */
export async function filled(name, { max, create = () => ({}), ...more }) {
  const pool = CONTENDERS[name]({ max, create, ...more });
  const all = await Promise.all(Array.from({ length: max }, () => pool.acquire()));
  for (const one of all) pool.release(one);
  await new Promise(resolve => setImmediate(resolve));
  return pool;
}

/** The least that can be called a pool. */
class ArrayPool {
  items = [];
  waiting = [];
  next = 0;

  acquire() {
    if (this.items.length > 0) return Promise.resolve(this.items.pop());
    return new Promise(resolve => this.waiting.push(resolve));
  }

  release(item) {
    if (this.next === this.waiting.length) {
      this.items.push(item);
      return;
    }
    this.waiting[this.next++](item);
    if (this.next < this.waiting.length) return;
    this.waiting = [];
    this.next = 0;
  }
}

/** As pg's, with something in it in place of a connection. */
function clientThatIs(create) {
  return class extends EventEmitter {
    _queryable = true;
    _ending = false;

    connect(done) {
      Promise.resolve(create()).then(() => done());
    }

    isConnected() {
      return true;
    }

    end(done) {
      this._ending = true;
      done?.();
    }
  };
}
