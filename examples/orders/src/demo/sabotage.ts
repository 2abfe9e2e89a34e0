import type { Pool } from 'nestjs-pool';
import pg, { type Client } from 'pg';

/** What `DEMO_BREAK` may break, so that everybody can see the demonstration find it. */
export type Sabotage = 'release' | 'cap' | 'recover' | undefined;

export function chosenSabotage(word = process.env.DEMO_BREAK): Sabotage {
  if (word === undefined || word === '') return undefined;
  if (word === 'release' || word === 'cap' || word === 'recover') return word;
  throw new Error(`DEMO_BREAK is "${word}"; it must be release, cap or recover`);
}

/** The hundredth lease is never given back. */
export function loseLease(pool: Pool<Client>): void {
  const acquire = pool.acquire.bind(pool);
  let count = 0;
  pool.acquire = async options => {
    const lease = await acquire(options);
    if (++count === 100) {
      // Whichever way it would end: it may be that of a request that is broken off.
      for (const end of ['release', 'destroy']) Object.defineProperty(lease, end, { value: () => undefined });
    }
    return lease;
  };
}

/** Opens a connection that the pool does not know of. */
export async function openUncounted(url: string, application: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, application_name: application });
  client.on('error', () => undefined);
  await client.connect();
}
