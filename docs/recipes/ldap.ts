import { once } from 'node:events';
import type { Socket } from 'node:net';
import { Client, InvalidCredentialsError, UnavailableError, type ClientOptions } from 'ldapts';
import type { ResourceFactory } from 'nestjs-pool/engine';

/** What ldapts keeps to itself: the socket, and that it makes another one, which is bound to nobody. */
interface Inside {
  readonly socket: Socket;
  _connect: () => Promise<never>;
}

export function ldapFactory(dn: string, password: string, options: ClientOptions): ResourceFactory<Client> {
  let identity: string | undefined;
  return {
    async create({ signal, invalidate }) {
      const client = new Client({ timeout: 30_000, ...options });
      signal.addEventListener('abort', () => void client.unbind());
      try {
        await Promise.race([
          client.bind(dn, password),
          once(signal, 'abort').then(() => signal.throwIfAborted()),
        ]);
        const inside = client as unknown as Inside;
        inside.socket.once('close', () => invalidate(new Error('The LDAP connection has closed')));
        inside._connect = () => Promise.reject(new Error('The LDAP connection has closed'));
        identity = await whoAmI(client);
        return client;
      } catch (error) {
        await client.unbind();
        throw error;
      }
    },
    async validate(client) {
      return (await whoAmI(client)) === identity;
    },
    async reset(client) {
      if ((await whoAmI(client)) !== identity) await client.bind(dn, password);
    },
    async destroy(client) {
      await client.unbind();
    },
    handle(client) {
      let tooLate: (() => Error) | undefined;
      const resource = new Proxy(client, {
        get(target, key, receiver): unknown {
          if (tooLate) throw tooLate();
          return Reflect.get(target, key, receiver);
        },
      });
      return { resource, revoke: why => (tooLate = why) };
    },
    isFatal: error => error instanceof UnavailableError,
    isRetryable: error => !(error instanceof InvalidCredentialsError),
  };
}

/** RFC 4532: what the server itself says this connection is bound as. */
async function whoAmI(client: Client): Promise<string | undefined> {
  return (await client.exop('1.3.6.1.4.1.4203.1.11.3')).value;
}
