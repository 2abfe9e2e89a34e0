import type { InjectionToken, ModuleMetadata, OptionalFactoryDependency } from '@nestjs/common';
import type { HttpSessionOptions } from '../resources/http.js';

type Options = Omit<HttpSessionOptions, 'name'>;

/** One session: a name, and its options, or what makes them. */
export type HttpSessionDefinition = { name: string } & (
  | (Options & { useFactory?: never; inject?: never })
  | {
      /** Makes the options of the session; gets what `inject` names. */
      useFactory: (...dependencies: never[]) => Options | Promise<Options>;
      inject?: (InjectionToken | OptionalFactoryDependency)[];
    }
);

export interface HttpSessionsOptions extends Pick<ModuleMetadata, 'imports'> {
  sessions: readonly HttpSessionDefinition[];
  /** Can every module inject the sessions, without importing this one? Default true. */
  isGlobal?: boolean;
}

/** @throws TypeError naming what is wrong */
export function checkSessions(sessions: unknown): void {
  if (!Array.isArray(sessions)) {
    throw new TypeError(
      'HttpSessionModule: sessions must be an array of definitions, such as [{ name, baseUrl }].',
    );
  }
  for (const { name } of sessions as { name?: unknown }[]) {
    if (typeof name !== 'string' || name === '') {
      throw new TypeError(
        `HttpSessionModule: a session's name must be a non-empty string, got ${String(name)}.`,
      );
    }
  }
}

/** @throws TypeError when the factory of a definition has made nothing */
export function madeBy(name: string, made: unknown): Options {
  if (typeof made === 'object' && made !== null) return made;
  throw new TypeError(
    `HttpSessionModule: the useFactory of session "${name}" must return its options, such as { baseUrl }.`,
  );
}
