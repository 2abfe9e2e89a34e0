import { isThenable } from '../../engine/basics/user-code.js';
import { outsideScopes, type BorrowScope, type ScopeHost } from '../../scope/index.js';
import { heldUntilSettled } from '../interceptors.js';
import { scopeToResolveIn } from './executions.js';
import type { ResolveInfo } from './info.js';
import { Subscription } from './subscription.js';

type Resolver = (source: unknown, args: unknown, context: unknown, info: ResolveInfo) => unknown;

interface Field {
  resolve?: Resolver | undefined;
  subscribe?: Resolver | undefined;
}
/** Tells of which type a value is: of an interface or a union, or whether it is of this one. */
type TypeOf = (value: unknown, context: unknown, info: ResolveInfo, ...rest: unknown[]) => unknown;

interface Fields {
  getFields?(): Readonly<Record<string, Field>>;
  resolveType?: TypeOf | null | undefined;
  isTypeOf?: TypeOf | null | undefined;
}
export interface Schema {
  getTypeMap(): Readonly<Record<string, Fields>>;
  getSubscriptionType(): Fields | null | undefined;
}

/** The application that a schema belongs to, and what it answers when a resolver fails. */
export interface SchemaOwner {
  readonly host: ScopeHost;
  readonly answerTo: (error: unknown) => unknown;
}

/**
 * Runs the resolvers of a schema in scopes. Nest calls most of them through what is watched already, but not those of fields
 * that have no parameter decorators, nor what `@Subscription()` is given; and nobody else sees where an event begins. It
 * is what Nest has made of the application's methods that is replaced here, and not those.
 */
export function watchSchema(schema: Schema, owner: SchemaOwner): void {
  const subscriptions = schema.getSubscriptionType();
  for (const type of Object.values(schema.getTypeMap())) {
    if (type.resolveType) type.resolveType = watchedType(type.resolveType, owner);
    if (type.isTypeOf) type.isTypeOf = watchedType(type.isTypeOf, owner);
    for (const field of Object.values(type.getFields?.() ?? {})) {
      if (type === subscriptions) watchEvents(field, owner);
      else if (field.resolve) field.resolve = watched(field.resolve, owner);
    }
  }
}

function watched(resolve: Resolver, owner: SchemaOwner): Resolver {
  return (source, args, context, info) =>
    run(owner, scopeToResolveIn(owner.host, context, info), () => resolve(source, args, context, info));
}

function watchedType(tell: TypeOf, owner: SchemaOwner): TypeOf {
  return (value, context, info, ...rest) =>
    run(owner, scopeToResolveIn(owner.host, context, info), () => tell(value, context, info, ...rest));
}

function watchEvents(field: Field, owner: SchemaOwner): void {
  const { subscribe } = field;
  if (!subscribe) return;
  field.subscribe = async (source, args, context, info) => {
    const subscribing = (): unknown => subscribe(source, args, context, info);
    try {
      return await Subscription.subscribe(owner.host, context, info, subscribing);
    } catch (error) {
      throw owner.answerTo(error);
    }
  };
  const resolve = watched(field.resolve ?? ownProperty, owner);
  field.resolve = (source, args, context, info) => {
    Subscription.begin(context, info);
    return resolve(source, args, context, info);
  };
}

/** As graphql-js does where a field has no resolver. */
const ownProperty: Resolver = (source, args, context, info) => {
  if ((typeof source !== 'object' || source === null) && typeof source !== 'function') return undefined;
  const properties = source as Readonly<Record<string, unknown>>;
  const property = properties[info.fieldName];
  return typeof property === 'function' ? property.call(source, args, context, info) : property;
};

/** Holds the scope until a resolver has settled: the operation may be answered before, when another one has failed. */
function run({ answerTo }: SchemaOwner, scope: BorrowScope | undefined, resolver: () => unknown): unknown {
  let result: unknown;
  try {
    result = scope ? heldUntilSettled(scope, () => promised(resolver())) : outsideScopes(resolver);
  } catch (error) {
    throw answerTo(error);
  }
  if (!(result instanceof Promise)) return result;
  return result.catch((error: unknown) => {
    throw answerTo(error);
  });
}

/** What graphql-js would wait for is a promise by now: a query that is sent when somebody waits for it (knex), say. */
function promised(value: unknown): unknown {
  return isThenable(value) && !(value instanceof Promise) ? Promise.resolve(value) : value;
}
