import { beforeEach, expect, it } from '@jest/globals';
import { PgBoss, type Db } from 'pg-boss';
import { pgBossDatabase } from '../../../src/resources/pg.js';
import { until } from '../../support/until.js';
import type { Subject } from './subjects.js';
import { overBothPools } from './world.js';

const QUEUE = 'mail';

const databaseOf = ({ pool, ours }: Subject): Db =>
  ours ? pgBossDatabase(ours) : { executeSql: (text, values) => pool.query(text, values) };

overBothPools('pg-boss', world => {
  let boss: PgBoss;

  beforeEach(async () => {
    await world.watch.sql('drop schema if exists pgboss cascade');
    boss = new PgBoss({ db: databaseOf(world.subject), supervise: false, schedule: false });
    boss.on('error', () => {});
    await boss.start();
    world.later(() => boss.stop({ graceful: false }));
    await boss.createQueue(QUEUE, { retryLimit: 0 });
  });

  /** Has the jobs done, until so many have been. */
  const work = async (count: number): Promise<string[]> => {
    const done: string[] = [];
    await boss.work<{ to: string }>(QUEUE, { pollingIntervalSeconds: 0.5, batchSize: 5 }, async jobs => {
      for (const { data } of jobs) done.push(data.to);
      if (jobs.some(({ data }) => data.to === 'nobody')) throw new Error('no such address');
    });
    await until(
      () => done.length,
      length => length >= count,
    );
    await boss.offWork(QUEUE);
    return done.sort();
  };
  const states = async (): Promise<string[]> =>
    (await world.watch.sql<{ state: string }>('select state from pgboss.job order by state')).map(
      ({ state }) => state,
    );

  it('sends jobs, has them done, and knows which have failed', async () => {
    const id = await boss.send(QUEUE, { to: 'ada' });
    expect(await work(1)).toEqual(['ada']);
    await until(
      () => boss.findJobs(QUEUE, { id: id! }),
      ([job]) => job?.state === 'completed',
    );
    await boss.send(QUEUE, { to: 'nobody' });
    expect(await work(1)).toEqual(['nobody']);
    await until(states, seen => seen.join() === 'completed,failed');
  });

  it('goes on when idle connections have died', async () => {
    await world.untilNobodyWaits();
    await world.killIdle();
    await boss.send(QUEUE, { to: 'ada' });
    expect(await work(1)).toEqual(['ada']);
  });

  it('has at most the connections that there may be, however many ask', async () => {
    const sends = Array.from({ length: 20 }, (_, i) => boss.send(QUEUE, { to: String(i) }));
    await world.neverAboveMax(Promise.all(sends));
    expect(await work(20)).toHaveLength(20);
  });
});
