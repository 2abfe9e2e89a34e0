import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { instrumentPools } from '../../../src/otel/index.js';
import { HttpSession, type HttpSessionOptions } from '../../../src/resources/http.js';
import { httpServer, type CountingServer } from '../../network/http/servers.js';
import { Metrics, Traces, forgetGlobals, useContexts } from './sdk.js';

let servers: CountingServer[];
let metrics: Metrics;
let traces: Traces;
let stop: () => void;

beforeEach(async () => {
  useContexts();
  [metrics, traces] = [new Metrics(), new Traces()];
  stop = instrumentPools(metrics.provider, { tracerProvider: traces.provider });
  servers = [await httpServer(), await httpServer()];
});
afterEach(async () => {
  stop();
  forgetGlobals();
  for (const server of servers) await server.stop();
});

const portOf = ({ origin }: CountingServer): number => Number(new URL(origin).port);

/** Each of them asked twice at once over one connection, and what was measured meanwhile. */
async function asked(options: HttpSessionOptions) {
  const session = new HttpSession({ name: 'api', max: 1, ...options });
  const urls = servers.map(({ origin }) => `${origin}/orders/4711?token=hunter2`);
  const answers = await Promise.all([...urls, ...urls].map(url => session.fetch(url)));
  await Promise.all(answers.map(answer => answer.text()));
  const collected = await metrics.collect();
  await session.close();
  return collected;
}

describe('the connections of a session', () => {
  it.each([
    ['without a base URL', () => ({}), undefined],
    ['with one', () => ({ baseUrl: `${servers[0]!.origin}/orders` }), 0],
  ])('are one set of series, whatever the origins: %s', async (_, options, home) => {
    const collected = await asked(options());
    const [server] = home === undefined ? [] : [servers[home]!];
    const attributes = {
      'nestjs_pool.pool.name': 'api',
      ...(server && { 'server.address': '127.0.0.1', 'server.port': portOf(server) }),
    };
    expect(collected.points('nestjs_pool.resource.limit').map(point => point.attributes)).toEqual([
      attributes,
    ]);
    expect(collected.values('nestjs_pool.acquires', attributes)).toEqual([4]);
    expect(collected.names.filter(name => !name.startsWith('nestjs_pool.'))).toEqual([]);
  });

  it('are waited for in spans that name the server, and nothing else of the URL', async () => {
    await asked({ baseUrl: 'https://elsewhere.example' });
    const ports = traces.acquires.map(({ attributes }) => attributes['server.port']);
    expect(new Set(ports)).toEqual(new Set(servers.map(portOf)));
    for (const { attributes, name } of traces.acquires) {
      expect(name).toBe('nestjs-pool.acquire api');
      expect(attributes).toEqual({
        'nestjs_pool.pool.name': 'api',
        'server.address': '127.0.0.1',
        'server.port': expect.any(Number),
        'nestjs_pool.acquire.waited_ms': expect.any(Number),
        'nestjs_pool.acquire.priority': 'normal',
        'nestjs_pool.acquire.outcome': 'acquired',
      });
    }
  });
});
