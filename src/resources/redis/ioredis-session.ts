import type { Duplex } from 'node:stream';
import type { Redis } from 'ioredis';
import type { Handle } from '../../engine/index.js';
import type { IoredisHandles } from './ioredis-handle.js';
import { Session, type SessionReset } from './session.js';

/** What ioredis has and does not declare for everybody. */
interface Inside {
  readonly stream?: Duplex;
  readonly commandQueue: { readonly length: number };
  readonly condition: { readonly subscriber: unknown; readonly protocol?: number } | null;
}

/** A client of ioredis, and what it has been through. */
export class IoredisSession extends Session<Redis> {
  private readonly inside: Inside;

  constructor(
    client: Redis,
    mode: SessionReset,
    private readonly handles: IoredisHandles,
    invalidate: (cause?: unknown) => void,
  ) {
    super(client, client, mode, invalidate);
    this.inside = client;
    const sendCommand = client.sendCommand.bind(client);
    // What borrowers send is seen where they do so.
    client.sendCommand = (command, stream) => {
      if (this.observed) this.trace.note(command.name, command.args);
      return sendCommand(command, stream);
    };
    client.on('end', () => this.spoil(new Error('the connection is closed')));
  }

  /** The client hears of its end only when the socket is closed, and refuses commands before that. */
  override opened(): void {
    super.opened();
    const over = (): void => this.spoil(new Error('the server has closed the connection'));
    this.inside.stream?.once('end', over).once('close', over);
  }

  override get busy(): boolean {
    return this.inside.commandQueue.length > 0;
  }

  protected override get subscribed(): boolean {
    return Boolean(this.inside.condition?.subscriber);
  }

  override send(command: string, ...args: string[]): Promise<unknown> {
    return this.client.call(command, ...args);
  }

  /** All in one go, which the server answers in this order. */
  protected override async renew(): Promise<unknown> {
    const { client, inside } = this;
    const { username, password, db = 0, connectionName, readOnly } = client.options;
    // ioredis has null for what it was not given.
    const resp3 = inside.condition?.protocol === 3;
    const credentials = password ? [username ?? 'default', password] : [];
    const sent: Promise<unknown>[] = [client.call('RESET')];
    if (resp3) sent.push(client.call('HELLO', '3', ...(password ? ['AUTH', ...credentials] : [])));
    // Servers before Redis 6, which know no users, have no RESET either.
    else if (password) sent.push(client.call('AUTH', ...credentials));
    // Also if it is 0: only so the client knows.
    sent.push(client.select(db));
    if (connectionName) sent.push(client.call('CLIENT', 'SETNAME', connectionName));
    if (readOnly) sent.push(client.readonly());
    try {
      return await Promise.all(sent);
    } catch {
      // The library's error has the arguments of the command, a password among them.
      throw new Error('The server has not taken RESET and what has to follow it');
    }
  }

  override kill(): void {
    const { stream } = this.inside;
    // Disconnecting sets a timer, which only a socket that is still to be closed ends.
    if (stream?.destroyed) return;
    this.client.disconnect();
    stream?.destroy();
  }

  override closed(): Promise<void> {
    return new Promise(resolve => {
      if (this.client.status === 'end') resolve();
      else this.client.once('end', resolve);
    });
  }

  protected override bye(): void {
    this.client.disconnect();
  }

  override lend(): Handle<Redis> {
    return this.handles.make(this);
  }
}
