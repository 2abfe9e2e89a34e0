import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';

/** The name in orders that the shop has to refuse: nothing may be left of them. */
export const NOBODY = 'Nobody';

const TEA = { product: 'Tea', quantity: 2, priceCents: 450 };

interface Ask {
  body?: unknown;
  signal?: AbortSignal;
}

/** What people do in the shop, over HTTP. Each visit ends with the status of its answer. */
export class ShopClient {
  /** The orders that the shop has confirmed. */
  readonly confirmed: number[] = [];
  private readonly agent = new Agent({ keepAlive: true });
  private visits = 0;

  constructor(private readonly url: string) {}

  async isReady(): Promise<boolean> {
    return (await this.finish(await this.ask('/health/ready'))) === 200;
  }

  async read(): Promise<number> {
    return this.finish(await this.ask(`/orders/${this.anyId()}`));
  }

  /** Asks, and is gone before the answer is there; now and then the answer is faster. */
  async readAndLeave(): Promise<number> {
    const signal = AbortSignal.timeout(1 + (this.visits % 4));
    try {
      return await this.finish(await this.ask(`/orders/${this.anyId()}`, { signal }));
    } catch (error) {
      if (signal.aborted) return 200;
      throw error;
    }
  }

  async order(): Promise<number> {
    const response = await this.ask('/orders', {
      body: { customer: 'Ada', lines: [TEA, { ...TEA, product: 'Cup' }] },
    });
    const answer = await text(response);
    if (response.statusCode === 201) this.confirmed.push((JSON.parse(answer) as { id: number }).id);
    return response.statusCode ?? 0;
  }

  /** In turn something that is no order, and one that only the database refuses, half-way through the transaction. */
  async orderBadly(): Promise<number> {
    const lines = this.visits++ % 2 === 0 ? 'none' : [TEA, { ...TEA, quantity: -1 }];
    return this.finish(await this.ask('/orders', { body: { customer: NOBODY, lines } }));
  }

  async export(): Promise<number> {
    return this.finish(await this.ask('/orders/export'));
  }

  async exportAndLeave(): Promise<number> {
    const response = await this.ask('/orders/export');
    await once(response, 'data');
    response.destroy();
    return response.statusCode ?? 0;
  }

  /** Ends with the signal, or when the shop ends it. */
  async listen(signal: AbortSignal, heard: () => void): Promise<number> {
    try {
      const response = await this.ask('/orders/live', { signal });
      for await (const chunk of response.setEncoding('utf8')) {
        for (const _event of (chunk as string).matchAll(/^event: order$/gm)) heard();
      }
      return response.statusCode ?? 0;
    } catch (error) {
      if (signal.aborted) return 200;
      throw error;
    }
  }

  /** Cuts all connections off. */
  hangUp(): void {
    this.agent.destroy();
  }

  private anyId(): number {
    return 1 + (this.visits++ % 5_000);
  }

  private async ask(path: string, { body, signal }: Ask = {}): Promise<IncomingMessage> {
    const outgoing = request(this.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      headers: { 'content-type': 'application/json' },
      agent: this.agent,
      ...(signal && { signal }),
    });
    outgoing.end(body === undefined ? undefined : JSON.stringify(body));
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    return response;
  }

  private async finish(response: IncomingMessage): Promise<number> {
    await text(response);
    return response.statusCode ?? 0;
  }
}
