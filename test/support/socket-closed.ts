import type { Server } from 'node:http';
import { until } from './until.js';
import type { RunningApp } from './nest-app.js';

/** The server has noticed that the client of the request it is working on is gone. */
export function socketClosed({ app }: RunningApp): Promise<void> {
  const server = app.getHttpServer() as Server;
  return until(
    () =>
      new Promise<number>((resolve, reject) => {
        server.getConnections((error, count) => {
          if (error) reject(error);
          else resolve(count);
        });
      }),
    count => count === 0,
  ).then(() => new Promise(resolve => setImmediate(resolve)));
}
