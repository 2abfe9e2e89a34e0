import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Query, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';
import { Borrow, BorrowSignal, PoolModule } from '../../src/index.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

class Connection {
  readonly #secret = 'hunter2';
  query(): string {
    return `answered with ${this.#secret.length} letters`;
  }
}

@Controller()
class Items {
  @Get()
  find(
    @Query('q') q: string,
    @Borrow('items') item: Connection,
    @BorrowSignal() signal: AbortSignal,
  ): object {
    return { q, item: item.query(), signal: AbortSignal.any([signal]).aborted };
  }
}

/** What a `ValidationPipe` does with `validateCustomDecorators`: it looks into all that it is given, and makes another of it. */
class CopyingPipe implements PipeTransform {
  readonly seen: string[] = [];
  transform(value: unknown, { type }: ArgumentMetadata): unknown {
    this.seen.push(type);
    return typeof value === 'string' ? `${value}!` : { ...(value as object) };
  }
}

describe.each(PLATFORMS)('pipes on %s', platform => {
  let running: RunningApp;

  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it('are shown nothing that is borrowed, and see everything else', async () => {
    const pipe = new CopyingPipe();
    const pools = [{ name: 'items', create: () => new Connection() }];
    const app = { imports: [PoolModule.forRoot({ pools })], controllers: [Items] };
    running = await serve(platform, app, made => made.useGlobalPipes(pipe));
    const { status, body } = await get(`${running.url}/?q=tea`);
    expect({ status, body: JSON.parse(body) as unknown }).toEqual({
      status: 200,
      body: { q: 'tea!', item: 'answered with 7 letters', signal: false },
    });
    expect(pipe.seen).toEqual(['query']);
  });
});
