import type { Outcome } from '../client.js';
import type { Guest } from '../guest.js';
import { factsOf } from '../kinds.js';
import type { Line } from './line.js';
import { RpcLine } from './rpc-line.js';
import { WsLine } from './ws-line.js';

/** Where messages go to. */
export interface Addresses {
  readonly url: string;
  readonly rpcPort: number;
}

/** Sends messages, and leaves where it was planned. */
export class Messenger implements Disposable {
  private readonly idle = { ws: [] as Line[], rpc: [] as Line[] };

  constructor(private readonly addresses: Addresses) {}

  /** Several go over one connection at the same time: whoever leaves takes the others along. */
  async visit(party: readonly Guest[]): Promise<Outcome[]> {
    const [first] = party;
    const { kind, kept, id } = first!.visit;
    const over = factsOf(kind).under === 'ws' ? 'ws' : 'rpc';
    const line = (kept ? this.idle[over].pop() : undefined) ?? (await this.open(over, first!));
    const departure = new AbortController();
    const leave = (): void => {
      departure.abort();
      line.leave(id % 2 === 0);
    };
    const gone = line.closed.then((): Outcome => (departure.signal.aborted ? 'left' : 'broken'));
    const outcomes = await Promise.all(party.map(guest => this.ask(line, guest, leave, gone)));
    if (departure.signal.aborted) await gone;
    else if (kept) this.idle[over].push(line);
    else leave();
    return outcomes;
  }

  [Symbol.dispose](): void {
    for (const line of [...this.idle.ws, ...this.idle.rpc]) line.leave(false);
  }

  private open(over: 'ws' | 'rpc', guest: Guest): Promise<Line> {
    return over === 'ws' ? WsLine.to(this.addresses.url, guest) : RpcLine.to(this.addresses.rpcPort);
  }

  private async ask(line: Line, guest: Guest, leave: () => void, gone: Promise<Outcome>): Promise<Outcome> {
    const { leaves, patience, rows } = guest.visit;
    if (leaves === 'before the request') leave();
    if (leaves === 'asking' || leaves === 'holding') guest.when(leaves, leave);
    const timer = leaves === 'some time' ? setTimeout(leave, patience) : undefined;
    let values = 0;
    const answered = new Promise<Outcome>(end => {
      const value = (): void => {
        values++;
        if (leaves === 'first bytes' || (leaves === 'half-way' && values > rows / 20)) leave();
      };
      if (leaves !== 'before the request') line.ask(guest, { value, end });
    });
    const outcome = await Promise.race([answered, gone]);
    clearTimeout(timer);
    if (leaves !== 'end' || outcome === 'left') return outcome;
    leave();
    return 'left';
  }
}
