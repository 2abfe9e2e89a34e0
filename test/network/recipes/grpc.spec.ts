import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import grpc, { type Client, type ClientReadableStream, type ServerWritableStream } from '@grpc/grpc-js';
import { grpcFactory, type Place } from '../../../docs/recipes/grpc.js';
import {
  Pool,
  PoolTimeoutError,
  PoolUnavailableError,
  type ResourceFactory,
} from '../../../src/engine/index.js';
import { failureOf } from '../../support/follow.js';
import { MuteServer } from '../../support/postgres.js';
import { TcpProxy } from '../../support/tcp-proxy.js';
import { until } from '../../support/until.js';

/** What the server admits on one connection. */
const STREAMS = 2;

const bytes = { serialize: (value: Buffer) => value, deserialize: (value: Buffer) => value };
const method = (name: string, responseStream: boolean): grpc.MethodDefinition<Buffer, Buffer> => ({
  ...{ path: `/test.Clock/${name}`, requestStream: false, responseStream },
  ...{ requestSerialize: bytes.serialize, requestDeserialize: bytes.deserialize },
  ...{ responseSerialize: bytes.serialize, responseDeserialize: bytes.deserialize },
});
const definition = { ask: method('ask', false), watch: method('watch', true) };

interface Clock extends Client {
  ask(request: Buffer, callback: (error: grpc.ServiceError | null, answer?: Buffer) => void): void;
  watch(request: Buffer): ClientReadableStream<Buffer>;
}

const ClockClient = grpc.makeGenericClientConstructor(definition, 'Clock');
const watchers = new Set<ServerWritableStream<Buffer, Buffer>>();

let server: grpc.Server;
let port: number;

beforeAll(async () => {
  server = new grpc.Server({ 'grpc.max_concurrent_streams': STREAMS });
  server.addService(definition, {
    ask: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) =>
      callback(null, call.request),
    watch: (call: ServerWritableStream<Buffer, Buffer>) => {
      watchers.add(call);
      call.on('cancelled', () => watchers.delete(call));
      call.write(Buffer.from('begun'));
    },
  });
  port = await promisify(server.bindAsync.bind(server))(
    '127.0.0.1:0',
    grpc.ServerCredentials.createInsecure(),
  );
});
afterAll(() => server.forceShutdown());
afterEach(() =>
  until(
    () => watchers.size,
    size => size === 0,
  ),
);

const clientOf = (at: number, options: object): Clock =>
  new ClockClient(`127.0.0.1:${at}`, grpc.credentials.createInsecure(), options) as unknown as Clock;
const factory = (at: number): ResourceFactory<Place<Clock>> =>
  grpcFactory(options => clientOf(at, options), STREAMS);

const work = ({ client }: Place<Clock>): Promise<unknown> =>
  promisify<Buffer, Buffer | undefined>(client.ask.bind(client))(Buffer.from('what time is it?'));
function watch({ client }: Place<Clock>): ClientReadableStream<Buffer> {
  return client
    .watch(Buffer.alloc(0))
    .on('error', () => undefined)
    .resume();
}

describe('the recipe for gRPC', () => {
  it('makes one connection for a hundred borrows', async () => {
    await using proxy = await TcpProxy.before(port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1, validateAfterIdle: 0 });
    for (let i = 0; i < 100; i++) await pool.use(work);
    expect(proxy.attempts).toBe(1);
    expect(pool.stats().totals).toMatchObject({ created: 1, destroyed: 0 });
  });

  it('is for what one client cannot do: begin more calls than the server admits on a connection', async () => {
    await using proxy = await TcpProxy.before(port);
    const clients = [clientOf(proxy.port, {}), clientOf(proxy.port, {})];
    const calls = [0, 1, 0, 1, 0].map(i => watch({ client: clients[i]! }));
    await until(
      () => watchers.size,
      size => size === STREAMS,
    );
    // The next begins when one has ended: those that wait for that had been sent long before, and more of them would have begun.
    const [first] = watchers;
    watchers.delete(first!);
    first!.end();
    await until(
      () => watchers.size,
      size => size >= STREAMS,
    );
    // And two clients for the same server share a connection.
    expect([watchers.size, proxy.attempts]).toEqual([STREAMS, 1]);
    for (const call of calls) call.cancel();
    for (const client of clients) client.close();
  });

  it('opens as many connections as calls need, and closes them with the last of their places', async () => {
    await using proxy = await TcpProxy.before(port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 6, idleTimeout: 1 });
    const leases = await Promise.all(Array.from({ length: 5 }, () => pool.acquire()));
    const calls = leases.map(({ resource }) => watch(resource));
    await until(
      () => watchers.size,
      size => size === 5,
    );
    expect(proxy.attempts).toBe(3);
    for (const call of calls) call.cancel();
    for (const lease of leases) lease.release();
    await pool.close();
    await until(
      () => proxy.open,
      open => open === 0,
    );
  });

  it('tells those who wait when there is no place, where HTTP/2 would say nothing', async () => {
    await using pool = new Pool({ factory: factory(port), max: STREAMS });
    const leases = await Promise.all([pool.acquire(), pool.acquire()]);
    expect(await failureOf(pool.acquire({ timeout: 50 }))).toBeInstanceOf(PoolTimeoutError);
    for (const lease of leases) lease.release();
  });

  it('goes on when the connection breaks while it is idle: the channel makes another', async () => {
    await using proxy = await TcpProxy.before(port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1, validateAfterIdle: 0 });
    const [channel] = await pool.use(async place => {
      await work(place);
      return [place.client.getChannel()];
    });
    proxy.resetAll();
    await until(
      () => channel.getConnectivityState(false),
      state => state !== grpc.connectivityState.READY,
    );
    await pool.use(work);
    expect(proxy.attempts).toBe(2);
  });

  it('has a place destroyed whose call has failed for want of a connection', async () => {
    await using proxy = await TcpProxy.before(port);
    await using pool = new Pool({ factory: factory(proxy.port), max: 1 });
    const lost = pool.use(async place => {
      const { client } = place;
      const call = client.watch(Buffer.alloc(0));
      const failed = new Promise((_, reject) => call.on('error', reject));
      call.once('data', () => proxy.resetAll());
      await failed;
    });
    expect(await failureOf(lost)).toMatchObject({ code: 14 });
    await pool.use(work);
    expect(pool.stats().totals).toMatchObject({ created: 2, destroyedBy: { fatal: 1 } });
  });

  it('does not lend a channel that cannot connect any more', async () => {
    await using proxy = await TcpProxy.before(port);
    await using pool = new Pool({
      factory: factory(proxy.port),
      max: 1,
      validateAfterIdle: 0,
      unavailableAfter: 1,
    });
    await pool.use(({ client }) => work({ client }));
    proxy.refuse();
    proxy.resetAll();
    await until(
      () => failureOf(pool.use(work)),
      error => error instanceof PoolUnavailableError,
    );
    await proxy.reopen();
    await until(
      () =>
        pool.use(work).then(
          () => true,
          () => false,
        ),
      served => served,
    );
  });

  it('fails to create on a port that nobody listens on', async () => {
    await using proxy = await TcpProxy.before(port);
    proxy.refuse();
    await using pool = new Pool({ factory: factory(proxy.port), unavailableAfter: 1 });
    expect(await failureOf(pool.acquire())).toBeInstanceOf(PoolUnavailableError);
    expect(pool.stats().totals).toMatchObject({ created: 0, createFailed: 1 });
    await proxy.reopen();
  });

  it('is over at once when it is aborted while it connects, and does not try again', async () => {
    const mute = await MuteServer.listen();
    const pool = new Pool({ factory: factory(mute.port), max: 1 });
    const acquired = failureOf(pool.acquire());
    const socket = await mute.accepted();
    await pool.close({ timeout: 0 });
    await acquired;
    expect(pool.stats()).toMatchObject({ total: 0, abandoned: 0 });
    // grpc-js itself does not let go of an attempt before the server has said something, or has gone.
    expect(socket.closed).toBe(false);
    const attempts = mute.sockets.length;
    for (const each of mute.sockets) each.destroy();
    await once(socket, 'close');
    expect(mute.sockets).toHaveLength(attempts);
    await mute[Symbol.asyncDispose]();
  });

  it('leaves nothing behind', async () => {
    await using proxy = await TcpProxy.before(port);
    const pool = new Pool({ factory: factory(proxy.port), min: 4, max: 4 });
    await pool.start();
    await pool.use(work);
    await until(
      () => proxy.open,
      open => open === 2,
    );
    await pool.close();
    await until(
      () => proxy.open,
      open => open === 0,
    );
  });
});
