import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { InVain, failingPools } from '../support/failing-pools.js';
import { get } from '../support/http-client.js';
import { PLATFORMS, forgetLoggers, serve, type RunningApp } from '../support/nest-app.js';

type PlatformResponse = ServerResponse & { readonly raw?: ServerResponse };

@Controller()
class Late {
  constructor(private readonly inVain: InVain) {}

  @Get('begun')
  begun(@Res() response: PlatformResponse): Promise<string> {
    const raw = response.raw ?? response;
    raw.writeHead(200, { 'content-type': 'text/plain' });
    raw.write('begun');
    return this.inVain.borrow('down');
  }

  @Get('ended')
  ended(@Res() response: PlatformResponse): Promise<string> {
    (response.raw ?? response).end('ended');
    return this.inVain.borrow('down');
  }
}

describe.each(PLATFORMS)('a pool error that comes late on %s', platform => {
  let running: RunningApp;

  afterEach(async () => {
    await running.app.close();
    forgetLoggers();
  });

  it.each(['begun', 'ended'])('ends a response that has %s, and throws nothing', async path => {
    const thrown: unknown[] = [];
    const note = (error: unknown): void => void thrown.push(error);
    process.on('unhandledRejection', note).on('uncaughtException', note);
    running = await serve(platform, {
      imports: [failingPools()],
      controllers: [Late],
      providers: [InVain],
    });
    expect(await get(`${running.url}/${path}`)).toMatchObject({ status: 200, body: path });
    process.off('unhandledRejection', note).off('uncaughtException', note);
    expect(thrown).toEqual([]);
    expect(running.log.lines.filter(line => line.startsWith('error') && !line.includes('Pool "'))).toEqual(
      [],
    );
  });
});
