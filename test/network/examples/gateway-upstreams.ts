import type { RequestListener, ServerResponse } from 'node:http';
import { httpServer, type CountingServer } from '../http/servers.js';

export const PRODUCTS = [
  { id: 'apple', name: 'Apple' },
  { id: 'pear', name: 'Pear' },
];
export const PRICES = { apple: 0.5, pear: 0.8 };

export function sendJson(response: ServerResponse, value: unknown): void {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
}

/** A server whose answers a test can change, and hold back. */
export class Upstream {
  server!: CountingServer;
  /** How to answer those that are held back and whose connections are open. */
  readonly held = new Set<() => void>();
  private answer: RequestListener;

  constructor(private readonly usual: RequestListener) {
    this.answer = usual;
  }

  async start(): Promise<void> {
    this.server = await httpServer((request, response) => {
      this.answer(request, response);
    });
  }

  get url(): string {
    return this.server.origin;
  }

  /** How many such as `GET /prices` there have been. */
  count(request: string): number {
    return this.server.requests.filter(one => one === request).length;
  }

  /** From now on, requests are answered so. */
  answers(answer: RequestListener): void {
    this.answer = answer;
  }

  holds(): void {
    this.answer = (request, response) => {
      const release = (): void => {
        this.usual(request, response);
      };
      this.held.add(release);
      response.once('close', () => this.held.delete(release));
    };
  }

  /** As it was in the beginning; what is held back is answered. */
  recovers(): void {
    this.answer = this.usual;
    for (const release of this.held) release();
    this.held.clear();
  }
}
