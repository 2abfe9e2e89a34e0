/**
 * For the tests of applications: pools of fakes, scopes without an application, and a look whether all is back.
 *
 * @packageDocumentation
 */
export { assertNoLeases, type AssertNoLeasesOptions } from './assert-no-leases.js';
export { FakeFactory, type Destroyed, type FakeTransaction } from './fake-factory.js';
export { fakePool } from './fake-pool.js';
export { TestScopes, fakeBorrowed } from './test-scopes.js';
