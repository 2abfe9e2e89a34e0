import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { listen } from './listen.js';

const PRICES: Readonly<Record<string, number>> = { apple: 0.5, pear: 0.8, plum: 0.3 };

type Fault = (response: ServerResponse, server: Server) => void;

/** What is wrong with every other request, in turn. */
const FAULTS: readonly Fault[] = [
  response => response.writeHead(503).end(),
  // Late: later than the gateway waits.
  response => setTimeout(() => response.end(JSON.stringify(PRICES)), 2_000).unref(),
  // Half of a body.
  response => {
    response.setHeader('content-length', 100).write('{"apple":0.');
    setTimeout(() => response.destroy(), 10).unref();
  },
  // No answer, and for a second nobody who listens.
  (_response, server) => {
    const { port } = server.address() as { port: number };
    server.close();
    server.closeAllConnections();
    setTimeout(() => server.listen(port, '127.0.0.1').unref(), 1_000);
  },
];

/** An upstream that is not. */
export function startPrices(): Promise<string> {
  let requests = 0;
  let quotes = 0;
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const given = request.method === 'POST' ? await json(request) : undefined;
    requests++;
    const fault = requests % 2 === 0 ? FAULTS[(requests / 2 - 1) % FAULTS.length] : undefined;
    if (fault) {
      fault(response, server);
      return;
    }
    response.setHeader('content-type', 'application/json');
    // It does not say for how long it keeps idle connections: not for long.
    response.setHeader('connection', 'keep-alive');
    if (given === undefined) {
      response.end(JSON.stringify(PRICES));
      return;
    }
    const { product, quantity } = given as { product: string; quantity: number };
    const price = PRICES[product];
    if (price === undefined) response.writeHead(404).end();
    else response.end(JSON.stringify({ quote: ++quotes, product, quantity, total: price * quantity }));
  };
  const server = createServer((request, response) => {
    answer(request, response).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 500;
  return listen(server);
}
