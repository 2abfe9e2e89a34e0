import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Borrow, Borrowed, InjectBorrowed, PoolModule } from '../../src/index.js';
import { assertNoLeases } from '../../src/testing/index.js';
import { Call } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';
import { Stage } from '../support/stage.js';

@Controller('pairs')
class Pairs {
  constructor(
    @InjectBorrowed('items') private readonly items: Borrowed<{ id: number }>,
    private readonly stage: Stage,
  ) {}

  private inside = 0;

  /** Takes one, and when everybody has one, another. */
  @Get(':name')
  async pair(@Borrow('items') first: { id: number }): Promise<number[]> {
    if (++this.inside === 2) this.stage.open('both');
    await this.stage.pass('both');
    const second = await this.items.get({ fresh: true });
    return [first.id, second.id];
  }
}

describe.each(PLATFORMS)('requests that wait for each other on %s', platform => {
  let running: RunningApp;
  beforeEach(async () => {
    let made = 0;
    running = await serve(platform, {
      imports: [
        PoolModule.forRoot({
          pools: [{ name: 'items', max: 2, acquireTimeout: 600_000, create: () => ({ id: ++made }) }],
        }),
      ],
      controllers: [Pairs],
      providers: [{ provide: Stage, useValue: new Stage() }],
    });
  });
  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it('are told at once: one is answered 503, which lets the other go on, and the log has both', async () => {
    const calls = ['a', 'b'].map(name => new Call(`${running.url}/pairs/${name}?token=secret`).answer());
    const answers = await Promise.all(calls);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 503]);
    const served = answers.find(({ status }) => status === 200)!;
    expect((JSON.parse(served.body) as number[]).sort()).toEqual([1, 2]);
    const refused = answers.find(({ status }) => status === 503)!;
    expect(refused.headers['retry-after']).toBe('1');
    const said = running.log.lines.filter(line => line.includes('deadlock')).join('\n');
    expect(said).toMatch(/GET \/pairs\/a/);
    expect(said).toMatch(/GET \/pairs\/b/);
    expect(said).not.toContain('secret');
    expect(refused.body).not.toMatch(/pairs|deadlock|items/);
    await assertNoLeases(running.app);
  });
});
