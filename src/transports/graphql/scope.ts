import { RequestAbortedError, type ScopeHost } from '../../scope/index.js';
import { onceClosed } from '../connections.js';
import { RequestScope } from '../request-scope.js';
import type { EndUnread } from '../watch.js';
import type { Peer } from './peer.js';

/** The scope of one execution over a WebSocket: of a subscribe method, of an event, of a query. */
export class GraphqlScope extends RequestScope {
  private readonly forget: (() => void)[] = [];
  private readonly unread: EndUnread[] = [];
  private isRead = false;

  /**
   * @param peer whom it is for, if that is known
   * @param pending may the client drop it before there is anything to be ended?
   */
  constructor(
    host: ScopeHost,
    private readonly name: string,
    private readonly peer: Peer | undefined,
    private readonly pending = false,
  ) {
    super(host);
  }

  /** That by which the client has connected. */
  override get request(): unknown {
    return this.peer?.request;
  }

  override toString(): string {
    return this.name;
  }

  /** Nobody waits for it any more. */
  readonly left = (): void => {
    this.abandon(new RequestAbortedError());
  };

  /** A generator that nobody may ever read is ended with the subscription, or with the execution. */
  endsUnread(end: EndUnread): void {
    if (this.isRead) end();
    else this.unread.push(end);
  }

  /** What nobody has begun to read by now, nobody will. */
  read(): void {
    this.isRead = true;
    for (const end of this.unread.splice(0)) end();
  }

  unsubscribed(): void {
    this.left();
    this.read();
  }

  protected override open(): void {
    const { peer } = this;
    if (!peer) return;
    if (peer.connection.destroyed) this.left();
    else this.forget.push(onceClosed(peer.connection, this.left));
    if (this.pending) this.forget.push(peer.whenDropped(this.left));
  }

  protected override close(): void {
    for (const forget of this.forget.splice(0)) forget();
  }
}
