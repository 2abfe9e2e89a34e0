import { setTimeout } from 'node:timers/promises';
import { connect, type ChannelModel, type ConfirmChannel } from 'amqplib';
import type { ResourceFactory } from 'nestjs-pool/engine';

/** The connection that channels share, and how many channels and creates there are on it. */
interface Link {
  readonly model: Promise<ChannelModel>;
  readonly socket: AbortController;
  users: number;
}

/** Channels for publishing, on one connection that is there as long as they are. */
export function amqpFactory(url: string): ResourceFactory<ConfirmChannel> {
  const links = new WeakMap<ConfirmChannel, Link>();
  let current: Link | undefined;

  function dial(): Link {
    const socket = new AbortController();
    const options = { noDelay: true, signal: socket.signal };
    const link: Link = { model: connect(url, options), socket, users: 0 };
    const forget = (): void => void (current = current === link ? undefined : current);
    link.model.then(model => model.on('error', () => undefined).on('close', forget), forget);
    return link;
  }

  async function leave(link: Link): Promise<void> {
    if (--link.users > 0) return;
    if (current === link) current = undefined;
    await ended(link, () => link.model.then(model => model.close()));
  }

  return {
    async create({ signal, invalidate }) {
      const link = (current ??= dial());
      link.users++;
      const abort = (): void => {
        if (link.users === 1) link.socket.abort(signal.reason);
      };
      signal.addEventListener('abort', abort);
      try {
        const channel = await (await link.model).createConfirmChannel();
        channel.on('error', invalidate);
        channel.on('close', () => invalidate(new Error('The channel has closed')));
        for (const method of ['consume', 'get', 'prefetch'] as const) channel[method] = refuse;
        links.set(channel, link);
        return channel;
      } catch (error) {
        await leave(link);
        throw error;
      } finally {
        signal.removeEventListener('abort', abort);
      }
    },
    async validate(channel) {
      await channel.checkExchange('amq.direct');
    },
    async reset(channel) {
      channel.removeAllListeners('return').removeAllListeners('drain');
      await channel.waitForConfirms();
    },
    async destroy(channel) {
      const link = links.get(channel)!;
      await ended(link, () => channel.close());
      await leave(link);
    },
    isFatal: error => typeof (error as { code?: unknown }).code === 'number',
    isRetryable: error => !String(error).includes('ACCESS_REFUSED'),
  };
}

/** Says goodbye. Where nobody answers in a second, the connection is dead, and all that is on it. */
async function ended(link: Link, close: () => Promise<void>): Promise<void> {
  const answered = close().then(
    () => true,
    () => true,
  );
  if (!(await Promise.race([answered, setTimeout(1_000, false, { ref: false })]))) link.socket.abort();
}

function refuse(): never {
  throw new Error('This channel is for publishing: consume on one of your own');
}
