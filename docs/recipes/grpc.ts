import { connectivityState, status, type Client, type ServiceError } from '@grpc/grpc-js';
import type { ResourceFactory } from 'nestjs-pool/engine';

/** A place for one call on a channel that others use as well. */
export interface Place<C extends Client> {
  readonly client: C;
}

interface Link<C extends Client> extends Place<C> {
  places: number;
}

const { READY, TRANSIENT_FAILURE, SHUTDOWN } = connectivityState;

/** @param streams how many calls at once on one connection: at most the server's max concurrent streams */
export function grpcFactory<C extends Client>(
  connect: (options: object) => C,
  streams = 100,
): ResourceFactory<Place<C>> {
  const links = new Set<Link<C>>();
  const linkOf = new WeakMap<Place<C>, Link<C>>();

  function leave(link: Link<C>): void {
    if (--link.places > 0) return;
    links.delete(link);
    link.client.close();
  }

  return {
    async create({ signal }) {
      let link = [...links].find(({ places }) => places < streams);
      if (!link) links.add((link = { client: connect({ 'grpc.use_local_subchannel_pool': 1 }), places: 0 }));
      link.places++;
      try {
        await ready(link.client, signal);
        const place = { client: link.client };
        linkOf.set(place, link);
        return place;
      } catch (error) {
        leave(link);
        throw error;
      }
    },
    validate: ({ client }) => isAlive(client.getChannel().getConnectivityState(true)),
    destroy: place => leave(linkOf.get(place)!),
    isFatal: error => (error as Partial<ServiceError>).code === status.UNAVAILABLE,
  };
}

function isAlive(state: connectivityState): boolean {
  return state !== TRANSIENT_FAILURE && state !== SHUTDOWN;
}

/** Unlike `waitForReady` it does not wait for a server that refuses to change its mind. */
function ready(client: Client, signal: AbortSignal): Promise<void> {
  const channel = client.getChannel();
  return new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error));
    function look(): void {
      const state = channel.getConnectivityState(true);
      if (signal.aborted || state === READY) resolve();
      else if (!isAlive(state)) reject(new Error('The gRPC channel cannot connect'));
      else channel.watchConnectivityState(state, Infinity, look);
    }
    look();
  });
}
