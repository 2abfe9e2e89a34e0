/** What has become of a promise so far. */
export interface Followed<T> {
  state: 'pending' | 'fulfilled' | 'rejected';
  value: T | undefined;
  error: unknown;
}

/** Keeps an eye on a promise without waiting for it; its rejection counts as handled. */
export function follow<T>(promise: Promise<T>): Followed<T> {
  const followed: Followed<T> = { state: 'pending', value: undefined, error: undefined };
  promise.then(
    value => {
      followed.state = 'fulfilled';
      followed.value = value;
    },
    (error: unknown) => {
      followed.state = 'rejected';
      followed.error = error;
    },
  );
  return followed;
}

/** The error a promise rejects with. */
export async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}
