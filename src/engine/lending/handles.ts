import { neutrally } from '../basics/neutral.js';
import type { Handle } from '../options/factory.js';
import type { Slot } from '../slots/slot.js';
import type { Stock } from '../slots/stock.js';
import { detectLateUse } from './late-use.js';

/** Do borrowers get something in place of the resource? Usually not, and then there is nothing to pay for. */
export function hasHandles<T>({ factory, settings }: Stock<T>): boolean {
  return factory.handle !== undefined || settings.detectUseAfterRelease;
}

/** @throws what the factory's `handle` throws */
export function makeHandle<T>({ factory, settings, watch, clock }: Stock<T>, slot: Slot<T>): Handle<T> {
  const { resource } = slot;
  const handle = factory.handle ? checked(neutrally(() => factory.handle?.(resource))) : plain(resource);
  if (!settings.detectUseAfterRelease) return handle;
  return detectLateUse(handle, (use, stack, releasedAt) =>
    watch.onLateUse?.({ pool: settings.name, at: clock.now(), slot: slot.id, use, stack, releasedAt }),
  );
}

function plain<T>(resource: T): Handle<T> {
  return { resource, revoke: () => undefined };
}

/** @throws TypeError for what is no handle, such as a promise: `handle` is synchronous */
function checked<T>(handle: Handle<T> | undefined): Handle<T> {
  if (typeof (handle as Partial<Handle<T>> | undefined)?.revoke === 'function') return handle!;
  throw new TypeError('The handle of a resource must be { resource, revoke() }, made synchronously');
}
