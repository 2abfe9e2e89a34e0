import {
  Module,
  type DynamicModule,
  type FactoryProvider,
  type ModuleMetadata,
  type Provider,
} from '@nestjs/common';
import type { KeyedPool } from '../engine/index.js';
import type { KnownPoolDefinition } from '../module/definition.js';
import { PoolModule } from '../module/pool.module.js';
import { getPoolToken } from '../module/tokens.js';
import { HttpSession, httpPool, type HttpConnection, type HttpSessionOptions } from '../resources/http.js';
import { serverOf } from '../resources/http/origin.js';
import { checkSessions, madeBy, type HttpSessionDefinition, type HttpSessionsOptions } from './definition.js';
import { getHttpToken } from './inject.decorator.js';

/** Carries the options of sessions to what is made of them: the pool, and the session over it. */
@Module({})
class HttpSessionOptionsModule {}

/**
 * Registers HTTP sessions as injectable providers. The connections of each are a pool of its name, which `PoolModule` knows as
 * any other: in its log, its defaults and its health, and closed with the others, after the server of the application.
 *
 * ```ts
 * HttpSessionModule.forRoot({
 *   sessions: [
 *     { name: 'github', baseUrl: 'https://api.github.com', max: 20 },
 *     { name: 'billing', inject: [ConfigService], useFactory: (config: ConfigService) => ({ baseUrl: config.getOrThrow('BILLING') }) },
 *   ],
 * })
 * ```
 */
@Module({})
export class HttpSessionModule {
  /**
   * Once, in the root module. `imports`: modules whose providers the factories of sessions need.
   *
   * @throws TypeError naming what is wrong with a definition
   */
  static forRoot({ sessions, imports = [], isGlobal = true }: HttpSessionsOptions): DynamicModule {
    return { ...moduleOf(sessions, imports), global: isGlobal };
  }

  /**
   * Further sessions, defined where they are used. `imports`: modules whose providers their factories need.
   *
   * @throws TypeError naming what is wrong with a definition
   */
  static forFeature(
    sessions: readonly HttpSessionDefinition[],
    { imports = [] }: Pick<ModuleMetadata, 'imports'> = {},
  ): DynamicModule {
    return moduleOf(sessions, imports);
  }
}

function moduleOf(
  sessions: readonly HttpSessionDefinition[],
  imports: NonNullable<ModuleMetadata['imports']>,
): DynamicModule {
  checkSessions(sessions);
  const options: DynamicModule = {
    module: HttpSessionOptionsModule,
    imports,
    providers: sessions.map(optionsProvider),
    exports: sessions.map(({ name }) => optionsToken(name)),
  };
  const pools = PoolModule.forFeature(sessions.map(poolOf), { imports: [options] });
  return {
    module: HttpSessionModule,
    imports: [options, pools],
    providers: sessions.map(sessionProvider),
    exports: [pools, ...sessions.map(({ name }) => getHttpToken(name))],
  };
}

function optionsToken(name: string): string {
  return `nestjs-pool-http-options:${name}`;
}

function optionsProvider(definition: HttpSessionDefinition): Provider {
  const { name, useFactory, inject = [], ...own } = definition;
  const provide = optionsToken(name);
  if (!useFactory) return { provide, useValue: own };
  const make = useFactory as (...dependencies: unknown[]) => unknown;
  return {
    provide,
    inject,
    useFactory: async (...dependencies: unknown[]) => madeBy(name, await make(...dependencies)),
  };
}

/** The same for the same definition: a session that is reached through two imports has one pool. */
const poolsOf = new WeakMap<HttpSessionDefinition, KnownPoolDefinition>();

function poolOf(session: HttpSessionDefinition): KnownPoolDefinition {
  const { name } = session;
  const known = poolsOf.get(session);
  if (known) return known;
  const definition = {
    name,
    inject: [optionsToken(name)],
    useFactory: ({
      baseUrl,
      headers: _headers,
      interceptors: _interceptors,
      // The session says what is wrong with it, where it is no URL.
      target = baseUrl ? serverOf(baseUrl) : undefined,
      ...others
    }: HttpSessionOptions) => httpPool({ ...others, target, name }),
  } as KnownPoolDefinition;
  poolsOf.set(session, definition);
  return definition;
}

function sessionProvider({ name }: HttpSessionDefinition): FactoryProvider {
  return {
    provide: getHttpToken(name),
    inject: [optionsToken(name), getPoolToken(name)],
    useFactory: (options: HttpSessionOptions, pool: KeyedPool<string, HttpConnection>) =>
      new HttpSession({ ...options, name }, pool),
  };
}
