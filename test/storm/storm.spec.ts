import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { LocalPostgres } from 'local-postgres';
import { PLATFORMS } from '../support/nest-app.js';
import { launchPostgres } from '../support/postgres.js';
import { Storm } from './storm.js';

// The first of an endless number of storms: `npm run storm` has others, longer ones, and looks at the heap as well.
const SEED = 1;
const REQUESTS = 900;
/** Milliseconds; a machine that is busy with other things needs them. */
const LIMIT = 180_000;

let postgres: LocalPostgres;

beforeAll(async () => {
  postgres = await launchPostgres();
});
afterAll(() => postgres.close());

it.each(PLATFORMS)(
  'on %s, every lease is back after a storm, and nobody had what was another’s',
  async platform => {
    await using storm = await Storm.over(platform, postgres);
    const round = await storm.round({ requests: REQUESTS, seed: SEED });
    expect(round.findings).toEqual([]);
    expect(round.stats).toMatchObject({ leased: 0, waiting: 0, abandoned: 0 });
    expect(round.released).toBe(round.acquired);
    expect(round.backends).toBe(round.stats.total);
  },
  LIMIT,
);
