import { expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Borrow, PoolModule, PoolRegistry, type PoolDefinition } from '../../src/index.js';
import { get } from '../support/http-client.js';
import { forgetLoggers, serve } from '../support/nest-app.js';

@Controller()
class Both {
  @Get('fresh')
  fresh(@Borrow('alpha', { fresh: true }) alpha: string, @Borrow('beta') beta: string): string {
    return `${alpha} ${beta}`;
  }

  @Get('hurried')
  hurried(@Borrow('alpha', { timeout: 0 }) alpha: string, @Borrow('beta') beta: string): string {
    return `${alpha} ${beta}`;
  }

  @Get('alpha-first')
  alphaFirst(@Borrow('alpha') alpha: string, @Borrow('beta') beta: string): string {
    return `${alpha} ${beta}`;
  }

  @Get('beta-first')
  betaFirst(@Borrow('beta') beta: string, @Borrow('alpha') alpha: string): string {
    return `${beta} ${alpha}`;
  }
}

it('borrows from several pools in one order, however a handler lists them, so that none waits for the other', async () => {
  const order: string[] = [];
  const pool = (name: string): PoolDefinition => ({
    name,
    max: 1,
    create: async () => name,
    listeners: [{ onAcquire: event => order.push(event.pool) }],
  });
  const { app, url } = await serve('express', {
    imports: [PoolModule.forRoot({ pools: [pool('alpha'), pool('beta')] })],
    controllers: [Both],
  });
  expect((await get(`${url}/beta-first`)).body).toBe('beta alpha');
  expect((await get(`${url}/alpha-first`)).body).toBe('alpha beta');
  expect(order).toEqual(['alpha', 'beta', 'alpha', 'beta']);

  // A resource of its own is borrowed once, and nobody borrows for another parameter with options that are not its own.
  expect((await get(`${url}/fresh`)).body).toBe('alpha beta');
  expect(order).toHaveLength(6);
  const lease = await app.get(PoolRegistry).get('alpha').acquire();
  expect((await get(`${url}/hurried`)).status).toBe(503);
  lease.release();

  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, i) => get(`${url}/${i % 2 ? 'alpha' : 'beta'}-first`)),
  );
  expect(answers.map(answer => answer.status)).toEqual(answers.map(() => 200));
  for (const name of ['alpha', 'beta'])
    expect(app.get(PoolRegistry).get(name).stats()).toMatchObject({ leased: 0 });
  await app.close();
  forgetLoggers();
});
