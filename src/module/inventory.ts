import type { ModulesContainer } from '@nestjs/core';

type Module = NonNullable<ReturnType<ModulesContainer['get']>>;
type Wrapper = NonNullable<ReturnType<Module['providers']['get']>>;

/** Is an object one of the controllers or providers of these modules? Of those that are made for each request, by its class. */
export function isAmong(modules: ModulesContainer, instance: object): boolean {
  for (const module of modules.values()) {
    // As a rule it is kept by its class.
    const { constructor } = instance;
    if (is(module.controllers.get(constructor), instance) || is(module.providers.get(constructor), instance))
      return true;
  }
  for (const module of modules.values()) {
    for (const wrapper of module.providers.values()) if (is(wrapper, instance)) return true;
  }
  return false;
}

/** What providers are made by: their classes, and the functions of others. */
export function classesOf(modules: ModulesContainer): readonly unknown[] {
  return [...modules.values()].flatMap(({ providers }) =>
    [...providers.values()].map(({ metatype }) => metatype as unknown),
  );
}

/** The providers that there is one of, once each. */
export function instancesOf(modules: ModulesContainer): Iterable<object> {
  const wrappers = [...modules.values()].flatMap(({ providers }) => [...providers.values()]);
  const made = wrappers.filter(wrapper => wrapper.isDependencyTreeStatic() && !wrapper.isTransient);
  return new Set(made.map(instanceIn).filter(isObject));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function is(wrapper: Wrapper | undefined, instance: object): boolean {
  if (!wrapper) return false;
  if (instanceIn(wrapper) === instance) return true;
  return (
    wrapper.metatype === instance.constructor && (wrapper.isTransient || !wrapper.isDependencyTreeStatic())
  );
}

/** What a wrapper has; where an application has failed before that was made, NestJS 11.0 looks for it without end. */
function instanceIn(wrapper: Wrapper): unknown {
  try {
    return wrapper.instance;
  } catch {
    return undefined;
  }
}
