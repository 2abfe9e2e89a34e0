import { expect, it, jest } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Watchdog } from '../../../src/resources/http/watchdog.js';

it('A watchdog looks at what has arrived first, where the event loop was blocked', async () => {
  const server = createServer();
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const near = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [[far]] = await Promise.all([accepted, once(near, 'connect')]);

  const watchdog = new Watchdog();
  const late = jest.fn();
  const read = new Promise<void>(resolve =>
    near.once('data', () => {
      watchdog.refresh();
      resolve();
    }),
  );
  watchdog.arm(20, { late }, 'body');
  far.write('an answer');
  const end = performance.now() + 60;
  while (performance.now() < end);
  await read;
  await new Promise(resolve => setImmediate(resolve));
  expect(late).not.toHaveBeenCalled();

  // And nothing more comes.
  await new Promise<void>(resolve => watchdog.arm(20, { late: () => resolve() }, 'headers'));
  near.destroy();
  far.destroy();
  server.close();
});
