import type { ScopeHost } from '../../scope/index.js';
import { onceClosed } from '../connections.js';
import { ByContext, type ResolveInfo } from './info.js';
import { peerOf } from './peer.js';
import { GraphqlScope } from './scope.js';
import { ExecutionUnit } from './unit.js';

/** Executions of one operation with one context value that run at the same time: which of them is over is not told. */
interface Running {
  readonly units: { readonly unit: ExecutionUnit; readonly forget: () => void }[];
  over: number;
}

const running = new ByContext<Running>();
/** Of Mercurius, which makes a context value for each. */
const operationOf = new WeakMap<object, ResolveInfo['operation']>();

/** Applications whose servers tell when an operation over a WebSocket has been executed. */
const told = new WeakSet<ScopeHost>();
export function tellsEnds(host: ScopeHost): void {
  told.add(host);
}

/** The scope of a query or mutation that has come over a WebSocket; undefined where nobody would tell its end. */
export function beginOperation(
  host: ScopeHost,
  context: unknown,
  { operation, fieldName }: ResolveInfo,
): GraphqlScope | undefined {
  const peer = told.has(host) ? peerOf(context) : undefined;
  if (!peer) return undefined;
  const unit = new ExecutionUnit(new GraphqlScope(host, `${operation.operation} ${fieldName}`, peer));
  const forget = onceClosed(peer.connection, () => {
    unit.unwatched();
  });
  const known = running.get(operation, context) ?? { units: [], over: 0 };
  known.units.push({ unit, forget });
  running.set(operation, context, known);
  operationOf.set(context as object, operation);
  return unit.scope;
}

/** One of these operations has been executed with this context value. */
export function operationOver(context: unknown, operations: readonly object[]): void {
  for (const operation of operations) {
    const known = running.get(operation, context);
    if (!known || ++known.over < known.units.length) continue;
    running.delete(operation, context);
    for (const { unit, forget } of known.units) {
      forget();
      unit.over();
    }
  }
}

/** As {@link operationOver}, where there is one operation for each context value. */
export function operationOfContextOver(context: object): void {
  const operation = operationOf.get(context);
  if (operation) operationOver(context, [operation]);
}
