import { Logger } from '@nestjs/common';
import { RequestAbortedError } from '../scope/index.js';
import { filterOf, hostOf } from './hosts.js';
import { heldUntilSettled } from './interceptors.js';
import { MessageScope } from './message.js';

/** What Nest keeps about a gateway; the name is the same in NestJS 11 and 12. */
const GATEWAY = 'websockets:is_gateway';

/** What Nest calls of a gateway itself, without guards and all that. */
const HOOKS = ['afterInit', 'handleConnection', 'handleDisconnect'] as const;

type Hook = (this: object, ...args: unknown[]) => unknown;

/** Two applications may have what they inherit in common. */
const watched = new WeakSet<Hook>();

/**
 * Runs what a gateway does when a client comes and goes in a scope of its own each time. Before Nest binds these methods to
 * the gateway, which is what tells them apart from others.
 *
 * @param gateway itself; of one that is made for each client, what it inherits
 */
export function watchGateway(gateway: object): void {
  if (Reflect.getMetadata(GATEWAY, gateway.constructor) !== true) return;
  for (const name of HOOKS) {
    const hook = (gateway as Record<string, unknown>)[name];
    if (typeof hook === 'function' && !watched.has(hook as Hook)) watchHook(gateway, name, hook as Hook);
  }
}

function watchHook(gateway: object, name: (typeof HOOKS)[number], hook: Hook): void {
  const own: Hook = function (...args) {
    const host = hostOf(this);
    if (!host) return hook.apply(this, args);
    // Nobody waits for anything of one that has gone.
    const type = name === 'handleConnection' ? 'ws' : name;
    const scope = new MessageScope(host, type, args, this, hook);
    const result = heldUntilSettled(scope, () => hook.apply(this, args));
    if (!(result instanceof Promise)) return result;
    return result.catch((error: unknown) => answerHook(this, name, args[0], error));
  };
  watched.add(own);
  Object.defineProperty(own, 'name', { value: name });
  Object.defineProperty(gateway, name, {
    value: own,
    enumerable: false,
    configurable: true,
    writable: true,
  });
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
  if (!filter || !isKnown) throw error;
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
