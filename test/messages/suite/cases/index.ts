import type { Theme } from './case.js';
import { acknowledgements, hooks, shutdown, streams, transactions } from './endings.js';
import { capacity, errors, keys } from './errors.js';
import { interceptors } from './interceptors.js';
import { endlessness, events, leaving } from './leaving.js';
import { givingUp, observables } from './observables.js';
import { sharing } from './sharing.js';

/** In the order of the matrix. The last ends the application. */
export const THEMES: readonly Theme[] = [
  sharing,
  errors,
  observables,
  givingUp,
  interceptors,
  leaving,
  endlessness,
  events,
  acknowledgements,
  streams,
  hooks,
  transactions,
  capacity,
  keys,
  shutdown,
];
