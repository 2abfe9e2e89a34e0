// Nest evaluates the decorators of parameters where it makes a context for a handler: for routes, patterns of messages,
// messages of gateways, and resolvers. Libraries of others can have it make one too (its ExternalContextCreator). Who calls a
// method as it is, evaluates nothing, and its parameters are whatever is passed.

/** On a method that Nest itself makes a context for. */
const MAKE_A_CONTEXT = /^(path$|microservices:|websockets:message_mapping$|graphql:)/;

/** On a method or a class whose libraries call methods as they are: schedule, event-emitter, bullmq, bull, cqrs, commander. */
const CALL_AS_IT_IS =
  /^(SCHEDULER?_|EVENT_LISTENER_METADATA$|bull(mq)?:|__(command|query|events)Handler__$|CommandBuilder:)/;

/** On anything, and telling nothing of who calls it: what Nest and the compiler keep there, and what describes an API. */
const TELL_NOTHING =
  /^(__\w+__$|design:|self:|optional:|scope:|swagger\/|(path|host|port|namespace)$|websockets:|graphql:)/;

/** Who, if anybody, is going to evaluate the decorators of a method's parameters? */
export type Evaluation = 'somebody' | 'nobody' | 'maybe';

/** Of libraries that are not known it may be that they do. */
export function evaluationOf(owner: object, key: string): Evaluation {
  const method = (owner as Record<string, object>)[key]!;
  const onMethod = [...keysOf(method), ...keysOf(owner, key)];
  if (onMethod.some(is(MAKE_A_CONTEXT))) return 'somebody';
  if (onMethod.some(is(CALL_AS_IT_IS))) return 'nobody';
  const unknown = onMethod.filter(name => !is(TELL_NOTHING)(name));
  const onClass = keysOf(owner.constructor).filter(
    name => !is(TELL_NOTHING)(name) && !is(CALL_AS_IT_IS)(name),
  );
  return unknown.length > 0 || onClass.length > 0 ? 'maybe' : 'nobody';
}

/** But for our own, which stand there because of the decorator that is asked about. */
function keysOf(target: object, key?: string): unknown[] {
  const all: unknown[] =
    key === undefined ? Reflect.getMetadataKeys(target) : Reflect.getMetadataKeys(target, key);
  return all.filter(one => !(typeof one === 'symbol' && one.description?.startsWith('nestjs-pool.')));
}

const is =
  (pattern: RegExp) =>
  (key: unknown): boolean =>
    typeof key === 'string' && pattern.test(key);
