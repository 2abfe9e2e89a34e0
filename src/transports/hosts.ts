import type { ArgumentsHost } from '@nestjs/common';
import type { ScopeHost } from '../scope/index.js';

/** An exception filter as Nest keeps it. */
export interface Filter {
  readonly func: (error: unknown, host: ArgumentsHost) => unknown;
  readonly exceptionMetatypes: readonly unknown[];
}

/** What the filters of an application are told of an error. */
export type Presentation = (error: unknown, filter: Filter, host: ArgumentsHost) => unknown;

/** An application whose handlers run in scopes. */
export interface Application extends ScopeHost {
  /** Is this one of its controllers, gateways, resolvers or other providers? */
  owns(instance: object): boolean;
  /** Answers the errors of its pools. */
  readonly filter: Filter;
}

/** Those of this process, the latest first. One that was never closed may be collected all the same. */
let applications: readonly WeakRef<Application>[] = [];

/** The application of instances that have been asked for. */
const known = new WeakMap<object, WeakRef<Application>>();

/** From now on this application's handlers are known. */
export function joinHosts(application: Application): void {
  applications = [new WeakRef(application), ...applications.filter(one => one.deref() !== undefined)];
}

/** The application that an instance belongs to whose method is called: several of them may be in one process. */
export function hostOf(instance: object): ScopeHost | undefined {
  return applicationOf(instance);
}

/** What answers the errors of pools in the application that an instance belongs to. */
export function filterOf(instance: object): Filter | undefined {
  return applicationOf(instance)?.filter;
}

/** Is it the one that answers the errors of pools in an application, and none that the application has bound itself? */
export function isOfPools({ exceptionMetatypes }: Filter): boolean {
  return applications.some(one => one.deref()?.filter.exceptionMetatypes === exceptionMetatypes);
}

function applicationOf(instance: object): Application | undefined {
  const host = known.get(instance)?.deref();
  if (host) return host;
  const owner = applications.find(one => one.deref()?.owns(instance));
  if (owner) known.set(instance, owner);
  return owner?.deref();
}
