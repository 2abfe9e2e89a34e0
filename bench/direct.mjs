// Requests without a network: Node's own request and response, on a socket that throws everything away.
import { IncomingMessage, ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';

const AT_ONCE = 16;

/** Gives the server so many requests, some of them at once, and resolves when all are answered. */
export async function sendDirectly(server, path, requests) {
  const sockets = Array.from(
    { length: AT_ONCE },
    () => new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }),
  );
  for (let sent = 0; sent < requests; sent += AT_ONCE) {
    await Promise.all(sockets.map(socket => one(server, socket, path)));
    // Nothing of these goes on in the context of those.
    await new Promise(resolve => setImmediate(resolve));
  }
}

function one(server, socket, path) {
  return new Promise((resolve, reject) => {
    const request = new IncomingMessage(socket);
    Object.assign(request, {
      method: 'GET',
      url: path,
      httpVersion: '1.1',
      httpVersionMajor: 1,
      httpVersionMinor: 1,
    });
    request.headers = { host: 'bench' };
    request.push(null);
    const response = new ServerResponse(request);
    response.assignSocket(socket);
    response.on('finish', () => {
      response.detachSocket(socket);
      if (response.statusCode === 200) resolve();
      else reject(new Error(`status ${response.statusCode}`));
    });
    server.emit('request', request, response);
  });
}
