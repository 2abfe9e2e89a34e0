import { Inject } from '@nestjs/common';
import { disguise } from '../transports/index.js';
import { PoolRegistry } from './registry.js';

const REGISTRY = Symbol('nestjs-pool.registry');

const HOW_TO_TEST =
  'In a test, let Test.createTestingModule({ imports: [PoolModule.forRoot({ pools })], providers: [TheClass] }) make it, with ' +
  '.overrideProvider(getPoolToken(name)).useValue(fakePool(…)) of nestjs-pool/testing.';

/** A method of an object that Nest has made, or has not. */
export type Method = (
  this: Partial<Record<typeof REGISTRY, PoolRegistry>>,
  ...parameters: unknown[]
) => unknown;

/**
 * Puts a method around another one that a decorator stands on, so that nobody sees a difference: it has the same name, the
 * same number of parameters, and all that decorators below have put on it. Those above put theirs on it themselves.
 *
 * @param where the decorator, as users know it
 * @param around makes what is put around it
 * @throws TypeError when it stands on what is no method of objects
 */
export function putAround(
  where: string,
  target: object,
  descriptor: PropertyDescriptor | undefined,
  around: (method: Method) => Method,
): void {
  const method: unknown = descriptor?.value;
  if (typeof method !== 'function') throw new TypeError(`${where} belongs on a method.`);
  if (typeof target === 'function') throw new TypeError(`${where} belongs on a method that is not static.`);
  injectRegistry(target);
  const outer = around(method as Method);
  disguise(outer, method as Method);
  Object.assign(descriptor!, { value: outer });
}

/**
 * The registry of the application that has made an object.
 *
 * @throws Error when none has
 */
export function registryOf(
  where: string,
  instance: ThisParameterType<Method>,
  key: string | symbol,
): PoolRegistry {
  // Whoever calls a method that was taken off its object has none at all.
  const registry = (instance as typeof instance | undefined)?.[REGISTRY];
  // Not by its class: another copy of this package has a class of its own.
  if (typeof (registry as Partial<PoolRegistry> | undefined)?.require === 'function') return registry!;
  if (registry) {
    throw new Error(
      `${where}: ${String(key)}() was called on an object that was given something else for the PoolRegistry of the ` +
        `application, as useMocker() does. ${HOW_TO_TEST}`,
    );
  }
  throw new Error(
    `${where}: ${String(key)}() was called on an object that NestJS has not made. It is for classes that stand among the ` +
      'providers or controllers of a module: what `new`, a `useFactory` or a `useValue` gives is not known there. ' +
      HOW_TO_TEST,
  );
}

/** Each application has its own, which its instances are given like any other dependency. */
function injectRegistry(target: object): void {
  if (REGISTRY in target) return;
  Object.defineProperty(target, REGISTRY, { value: undefined, writable: true, enumerable: false });
  Inject(PoolRegistry)(target, REGISTRY);
}
