// The loops that are timed. Imported once for each contender (`loops.mjs?tarn`), so that each is compiled for its own
// pool, as a user's code is, and none is slowed down by what V8 has learnt from another.

/** One borrow after the other. */
export async function oneByOne(pool, times) {
  for (let i = 0; i < times; i++) pool.release(await pool.acquire());
}

/** The same without waiting, of a pool that has such a call. */
export function atOnce(pool, times) {
  for (let i = 0; i < times; i++) pool.tryAcquire().release();
}

export function popAndPush(items, times) {
  for (let i = 0; i < times; i++) items.push(items.pop());
}

/** Workers that go on and on, more than there are resources; each holds its own while something else is awaited. */
export async function workers(pool, count, times) {
  let left = times;
  const work = async () => {
    while (left-- > 0) {
      const item = await pool.acquire();
      await undefined;
      pool.release(item);
    }
  };
  await Promise.all(Array.from({ length: count }, work));
}

/** All at once; each gives back at once what it gets. */
export async function burst(pool, count) {
  const one = async () => pool.release(await pool.acquire());
  await Promise.all(Array.from({ length: count }, one));
}
