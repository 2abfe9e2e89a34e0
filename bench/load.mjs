// A client that costs little: it knows how long each answer is, as all are the same.
import { once } from 'node:events';
import { connect } from 'node:net';

export class Load {
  constructor(port, path, connections) {
    this.request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n\r\n`;
    this.sockets = Array.from({ length: connections }, () =>
      connect({ port, host: '127.0.0.1', noDelay: true }),
    );
  }

  async open() {
    await Promise.all(this.sockets.map(socket => once(socket, 'connect')));
    const [first] = this.sockets;
    first.write(this.request);
    const [answer] = await once(first, 'data');
    if (!answer.toString().startsWith('HTTP/1.1 200')) throw new Error(answer.toString());
    this.length = answer.length;
  }

  /**
   * So many requests, one after the other on each connection.
   *
   * @param latencies gets the milliseconds that each took
   */
  async send(requests, latencies) {
    let unsent = requests;
    await Promise.all(
      this.sockets.map(
        socket =>
          new Promise((resolve, reject) => {
            let read = 0;
            let sent = 0;
            const next = () => {
              if (unsent-- > 0) {
                if (latencies) sent = performance.now();
                socket.write(this.request);
              } else {
                socket.off('data', hear).off('close', fail);
                resolve();
              }
            };
            const hear = chunk => {
              read += chunk.length;
              if (read > this.length) reject(new Error(`an answer of another length: ${chunk}`));
              else if (read === this.length) {
                read = 0;
                latencies?.push(performance.now() - sent);
                next();
              }
            };
            const fail = () => reject(new Error('the server has closed a connection'));
            socket.on('data', hear).once('close', fail);
            next();
          }),
      ),
    );
  }

  close() {
    for (const socket of this.sockets) socket.destroy();
  }
}
