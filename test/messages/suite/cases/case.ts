import type { Ability } from '../driver.js';
import type { SuiteRig } from '../rig.js';

/** What holds on every transport that can do what it needs. */
export interface Case {
  /** A sentence. */
  readonly name: string;
  readonly needs?: readonly Ability[];
  run(rig: SuiteRig): Promise<void>;
}

/** Cases that belong together: a row of the matrix in docs/request-scope.md. */
export interface Theme {
  readonly promise: string;
  readonly cases: readonly Case[];
}
