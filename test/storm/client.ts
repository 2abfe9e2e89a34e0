import { Agent, type IncomingMessage } from 'node:http';
import { once } from 'node:events';
import { connect } from 'node:net';
import { Call } from '../support/http-client.js';
import { GuestBook, type Guest } from './guest.js';
import { pipelined } from './pipelined.js';
import { TENANT, tenantOf } from './contexts/tenancy.js';
import { operationOf } from './graphql/operations.js';
import { factsOf, isMessage } from './kinds.js';
import { Messenger, type Addresses } from './messages/messenger.js';
import type { Tally } from './tally.js';

/** A status, or that the client has left, or that its answer was broken off. */
export type Outcome = number | 'left' | 'broken';

export function pathOf({ visit: { kind, deep } }: Guest): string {
  const { under = deep ? 'deep' : 'parameter' } = factsOf(kind);
  return under === 'graphql' ? '/graphql' : `/${under}/${kind}`;
}

/** Makes requests over real sockets, and leaves where it was planned. */
export class StormClient implements Disposable {
  private readonly agent = new Agent({ keepAlive: true });
  private readonly port: number;
  private readonly url: string;
  private readonly messenger: Messenger;

  constructor(
    addresses: Addresses,
    private readonly tally: Tally,
  ) {
    this.url = addresses.url;
    this.port = Number(new URL(this.url).port);
    this.messenger = new Messenger(addresses);
  }

  /** One request, or several on one connection. */
  async visit(party: readonly Guest[]): Promise<void> {
    const outcomes = await this.ask(party);
    for (const [i, outcome] of outcomes.entries()) this.tally.count(party[i]!, outcome);
  }

  [Symbol.dispose](): void {
    this.agent.destroy();
    this.messenger[Symbol.dispose]();
  }

  private async ask(party: readonly Guest[]): Promise<Outcome[]> {
    if (isMessage(party[0]!.visit.kind)) return this.messenger.visit(party);
    return party.length > 1 ? pipelined(this.port, party) : [await this.alone(party[0]!)];
  }

  private async alone(guest: Guest): Promise<Outcome> {
    const { leaves } = guest.visit;
    if (leaves === 'before the request' || leaves === 'half a head') return this.hardlyBegin(guest);
    const { id, method, kept, patience } = guest.visit;
    const query = operationOf(guest.visit);
    const call = new Call(this.url + pathOf(guest), {
      method,
      agent: kept ? this.agent : false,
      headers: { [GuestBook.HEADER]: id, [TENANT]: tenantOf(guest.visit) },
      ...(method === 'POST' ? { body: query ? { query } : { any: 'thing' } } : {}),
      ...(leaves === 'half a body' ? { bodyAfter: new Promise(() => undefined) } : {}),
    });
    const departure = new AbortController();
    const leave = (): void => {
      departure.abort();
      call.leave();
    };
    if (leaves === 'asking' || leaves === 'holding') guest.when(leaves, leave);
    const timer = ['some time', 'half a body'].includes(leaves ?? '')
      ? setTimeout(leave, patience)
      : undefined;
    try {
      const response = await call.response;
      if (leaves === 'head') leave();
      await this.read(response, guest, leave);
      return departure.signal.aborted ? 'left' : response.statusCode!;
    } catch {
      return departure.signal.aborted ? 'left' : 'broken';
    } finally {
      clearTimeout(timer);
    }
  }

  private async read(response: IncomingMessage, { visit }: Guest, leave: () => void): Promise<void> {
    const half = factsOf(visit.kind).streamed ? visit.rows * 100 : 1;
    let seen = 0;
    for await (const chunk of response) {
      seen += (chunk as Buffer).length;
      if (visit.leaves === 'first bytes' || (visit.leaves === 'half-way' && seen > half)) leave();
    }
    if (visit.leaves === 'end') leave();
  }

  /** Leaves before the server knows what it is about. */
  private async hardlyBegin(guest: Guest): Promise<Outcome> {
    const socket = connect(this.port, '127.0.0.1');
    await once(socket, 'connect');
    if (guest.visit.leaves === 'half a head') {
      await new Promise(resolve => socket.write(`GET ${pathOf(guest)} HTTP/1.1\r\nHos`, resolve));
    }
    socket.destroy();
    return 'left';
  }
}
