import type { ResolveInfo } from './info.js';
import { operationOfContextOver, operationOver, tellsEnds } from './operations.js';
import { watchSchema, type Schema, type SchemaOwner } from './schema.js';
import { Subscription } from './subscription.js';

type Filter = (this: unknown, payload: unknown, ...rest: unknown[]) => unknown;
type Subscribe = (source: unknown, args: unknown, context: unknown, info: ResolveInfo) => unknown;

/** What Nest's drivers of GraphQL have in common; the same in NestJS 11 and 12. */
export interface GraphqlDriver {
  generateSchema(options: unknown): Promise<Schema | null> | null;
  subscriptionWithFilter(instance: unknown, filter: Filter, create: () => Subscribe): Subscribe;
  start(options: DriverOptions): Promise<unknown>;
  readonly instance?: unknown;
}

interface DriverOptions {
  subscriptions?: Readonly<Record<string, unknown>>;
}

/** What graphql-ws tells, in part. */
interface ServerOptions {
  readonly onNext?: (...args: unknown[]) => unknown;
  readonly onOperation?: (...args: unknown[]) => unknown;
}
interface Executed {
  readonly contextValue: unknown;
  readonly document: { readonly definitions: readonly object[] };
}

/** The hooks of Mercurius. */
interface Mercurius {
  addHook?(
    name: 'onResolution' | 'onSubscriptionResolution',
    hook: (execution: unknown, context: { readonly request?: object }, id?: unknown) => Promise<void>,
  ): void;
}

const METHODS = ['generateSchema', 'subscriptionWithFilter', 'start'] as const;

/** Is this the class of a driver? */
export function isGraphqlDriver(metatype: unknown): boolean {
  const prototype = typeof metatype === 'function' ? (metatype.prototype as unknown) : undefined;
  if (typeof prototype !== 'object' || prototype === null) return false;
  return METHODS.every(method => typeof (prototype as Partial<GraphqlDriver>)[method] === 'function');
}

/** Has the resolvers of an application run in scopes, before its driver makes anything of them. */
export function watchGraphql(driver: GraphqlDriver, owner: SchemaOwner): void {
  const generateSchema = driver.generateSchema.bind(driver);
  const withFilter = driver.subscriptionWithFilter.bind(driver);
  const start = driver.start.bind(driver);
  driver.generateSchema = async options => {
    const schema = await generateSchema(options);
    if (schema) watchSchema(schema, owner);
    return schema;
  };
  driver.subscriptionWithFilter = (instance, filter, create) => (source, args, context, info) => {
    const subscription = Subscription.by(context, info);
    const watched: Filter = subscription
      ? (payload, ...rest) => subscription.filter(payload, () => filter.call(instance, payload, ...rest))
      : filter;
    return withFilter(instance, watched, create)(source, args, context, info);
  };
  driver.start = async options => {
    const overGraphqlWs = listenToGraphqlWs(options);
    const started = await start(options);
    const overMercurius = listenToMercurius(
      (driver.instance as { graphql?: Mercurius } | undefined)?.graphql,
    );
    if (overGraphqlWs || overMercurius) tellsEnds(owner.host);
    return started;
  };
}

/** These options are Nest's own copy; but not what is in them. */
function listenToGraphqlWs(options: DriverOptions): boolean {
  const { subscriptions } = options;
  const server = subscriptions?.['graphql-ws'];
  if (!server) return false;
  const { onNext, onOperation, ...others } = server === true ? {} : (server as ServerOptions);
  const listening: ServerOptions = {
    ...others,
    onNext: (...args) => {
      const { contextValue, document } = args[3] as Executed;
      Subscription.executed(contextValue, document.definitions);
      return onNext?.(...args);
    },
    onOperation: (...args) => {
      const { contextValue, document } = args[3] as Executed;
      operationOver(contextValue, document.definitions);
      return onOperation?.(...args);
    },
  };
  options.subscriptions = { ...subscriptions, 'graphql-ws': listening };
  return true;
}

function listenToMercurius(mercurius: Mercurius | undefined): boolean {
  if (typeof mercurius?.addHook !== 'function') return false;
  mercurius.addHook('onResolution', async (_, context) => {
    operationOfContextOver(context);
  });
  mercurius.addHook('onSubscriptionResolution', async (_, { request }, id) => {
    if (request) Subscription.executedFor(request, id);
  });
  return true;
}
