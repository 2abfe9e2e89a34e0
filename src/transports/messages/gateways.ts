import { Logger } from '@nestjs/common';
import { RequestAbortedError, anyScope, type BorrowScope } from '../../scope/index.js';
import { disguise } from '../disguise.js';
import { filterOf, hostOf } from '../hosts.js';
import { heldUntilSettled } from '../interceptors.js';
import { MessageScope } from './message-scope.js';

/** What Nest keeps about a gateway; the name is the same in NestJS 11 and 12. */
const GATEWAY = 'websockets:is_gateway';

/** What Nest calls of a gateway itself, without guards and all that. */
const HOOKS = ['afterInit', 'handleConnection', 'handleDisconnect'] as const;

type Hook = (this: object, ...args: unknown[]) => unknown;

/** Of what hook of which gateway a scope is. */
const calls = new WeakMap<BorrowScope, Readonly<{ gateway: object; name: string }>>();
const watched = new WeakSet();

/**
 * Runs what the gateways of a class do when a client comes and goes in a scope of its own each time. That is put around the
 * methods of the class: some gateways are made anew for each client, and a microservice binds its own before it calls
 * anybody.
 */
export function watchGateway(metatype: unknown): void {
  if (typeof metatype === 'function' && isGateway(metatype)) watchHooks(metatype.prototype as object);
}

/** As {@link watchGateway}, what is no method but kept in a field. Before Nest binds it. */
export function watchFields(gateway: object): void {
  if (isGateway(gateway.constructor)) watchHooks(gateway, name => Object.hasOwn(gateway, name));
}

function isGateway(metatype: object): boolean {
  return Reflect.getMetadata(GATEWAY, metatype) === true;
}

function watchHooks(target: object, isThere: (name: string) => boolean = () => true): void {
  for (const name of HOOKS) {
    const hook = (target as Record<string, unknown>)[name];
    if (typeof hook === 'function' && !watched.has(hook) && isThere(name))
      watchHook(target, name, hook as Hook);
  }
}

function watchHook(target: object, name: (typeof HOOKS)[number], hook: Hook): void {
  const around: Hook = function (...args) {
    const host = hostOf(this);
    // A class that overrides a hook may call the one of the class above.
    if (!host || isInside(this, name)) return hook.apply(this, args);
    // Nobody waits for anything of one that has gone.
    const type = name === 'handleConnection' ? 'ws' : name;
    const scope = new MessageScope(host, type, args, this, around);
    calls.set(scope, { gateway: this, name });
    const result = heldUntilSettled(scope, () => hook.apply(this, args));
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => answerHook(this, name, args[0], error));
  };
  watched.add(around);
  disguise(around, hook);
  Object.defineProperty(target, name, {
    value: around,
    enumerable: false,
    configurable: true,
    writable: true,
  });
}

function isInside(gateway: object, name: string): boolean {
  const here = anyScope();
  const call = here?.held === true ? calls.get(here) : undefined;
  return call?.gateway === gateway && call.name === name;
}

interface Client {
  /** Of socket.io. */
  disconnect?(): unknown;
  /** Of ws. */
  close?(code: number): unknown;
}

/** Of RFC 6455's registry: try again later. */
const TRY_AGAIN_LATER = 1013;

/**
 * Nest asks no filter about what these reject with, so that a pool that is busy would end the process. A client of which the
 * application has not learned what it wanted to know is told so, and not served.
 */
function answerHook(gateway: object, name: string, client: unknown, error: unknown): void {
  const filter = filterOf(gateway);
  const isKnown = filter?.exceptionMetatypes.some(kind => error instanceof (kind as typeof Error));
  if (!filter || !isKnown || typeof client !== 'object' || client === null) throw error;
  if (!(error instanceof RequestAbortedError)) {
    new Logger('PoolModule').warn(`${gateway.constructor.name}.${name}(): ${(error as Error).message}`);
  }
  if (name !== 'handleConnection') return;
  const ws = { getClient: () => client, getData: () => undefined, getPattern: () => name };
  filter.func(error, { getType: () => 'ws', getArgs: () => [client], switchToWs: () => ws } as never);
  const leaving = client as Client;
  if (leaving.disconnect) leaving.disconnect();
  else leaving.close?.(TRY_AGAIN_LATER);
}
