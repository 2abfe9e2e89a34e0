import { hostOf } from './hosts.js';
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
    return heldUntilSettled(scope, () => hook.apply(this, args));
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
