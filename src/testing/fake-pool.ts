import { Pool, type PoolSettings } from '../engine/index.js';
import { FakeFactory } from './fake-factory.js';

/**
 * A real pool of what a test makes, to be put in the place of an application's:
 * `.overrideProvider(getPoolToken('orders-db')).useValue(fakePool(() => new FakeClient()))`.
 *
 * @param resources gives a resource, another each time; or a {@link FakeFactory}, which remembers and can fail
 * @param settings those of any pool. Other defaults than usual: `acquireTimeout` 1 000, so that something that was not
 *   given back shows before the test's own time limit, and `validateAfterIdle` 0, so that what is broken is found out
 */
export function fakePool<T>(resources: FakeFactory<T> | (() => T), settings: PoolSettings = {}): Pool<T> {
  const factory = typeof resources === 'function' ? new FakeFactory(resources) : resources;
  return new Pool({ name: 'fake', acquireTimeout: 1_000, validateAfterIdle: 0, ...settings, factory });
}
