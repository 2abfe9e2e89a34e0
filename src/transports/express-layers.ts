import type { IncomingMessage, ServerResponse } from 'node:http';
import { Logger } from '@nestjs/common';
import { anyScope, attachedTo, inScope } from '../scope/index.js';
import { HttpScope } from './http.js';

type Next = (error?: unknown) => void;
type Handle = (request: IncomingMessage, response: ServerResponse, next: Next) => unknown;
type ErrorHandle = (
  error: unknown,
  request: IncomingMessage,
  response: ServerResponse,
  next: Next,
) => unknown;

/** What Express runs one after the other for a request: middleware, routers, and the handlers of routes. */
interface Layer {
  readonly handle: Handle | ErrorHandle;
  readonly route?: unknown;
  readonly name?: unknown;
  readonly path?: unknown;
  handleRequest(request: IncomingMessage, response: ServerResponse, next: Next): void;
  handleError(error: unknown, request: IncomingMessage, response: ServerResponse, next: Next): void;
  /** The same layer, whose function tells what it returns. */
  [TELLING]?: TellingLayer;
}

const TELLING = Symbol('nestjs-pool.telling');
const watched = new WeakSet<Layer>();

/**
 * Runs each layer of Express in the scope of its request, whatever context the layer before it has gone on in, and tells
 * the scope of the promises that they return.
 *
 * @param express has a layer already
 */
export function watchLayers(express: unknown): void {
  const { router } = express as { router?: { stack?: Layer[] } };
  const layer = router?.stack?.at(-1);
  const prototype = layer && (Object.getPrototypeOf(layer) as Layer);
  if (typeof prototype?.handleRequest !== 'function' || typeof prototype.handleError !== 'function') {
    new Logger('PoolModule').warn(
      'This version of Express runs its layers in a way that is not known here: middleware that loses the ' +
        'AsyncLocalStorage context is not put right, and asynchronous middleware is not waited for.',
    );
    return;
  }
  if (watched.has(prototype)) return;
  watched.add(prototype);
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with their own `this` below
  const { handleRequest, handleError } = prototype;
  prototype.handleRequest = function (request, response, next) {
    const scope = attachedTo(request);
    // Each request comes here many times, and as a rule in its own scope.
    if (!scope) handleRequest.call(this, request, response, next);
    else if (anyScope() === scope) handleRequest.call(telling(this) as never, request, response, next);
    else inScope(scope, () => handleRequest.call(telling(this) as never, request, response, next));
  };
  prototype.handleError = function (error, request, response, next) {
    const scope = attachedTo(request);
    if (!scope) handleError.call(this, error, request, response, next);
    else inScope(scope, () => handleError.call(telling(this) as never, error, request, response, next));
  };
}

/**
 * Stands for a layer while it is run, with a function that tells what it returns. Made once for each layer, and all of one
 * shape: objects that inherit from the layers themselves would be one kind each, and make every request pay for it.
 */
class TellingLayer {
  readonly handle: Handle | ErrorHandle;

  constructor(
    private readonly layer: Layer,
    readonly original: Handle | ErrorHandle,
  ) {
    // Express tells what handles errors by the number of parameters.
    this.handle =
      original.length > 3 ? tellingErrorHandle(original as ErrorHandle) : tellingHandle(original as Handle);
  }

  get route(): unknown {
    return this.layer.route;
  }
  get name(): unknown {
    return this.layer.name;
  }
  get path(): unknown {
    return this.layer.path;
  }
}

function telling(layer: Layer): TellingLayer {
  const known = layer[TELLING];
  // Agents put another function in.
  if (known?.original === layer.handle) return known;
  return (layer[TELLING] = new TellingLayer(layer, layer.handle));
}

function tellingHandle(handle: Handle): Handle {
  return (request, response, next) => {
    const scope = attachedTo(request);
    if (!(scope instanceof HttpScope)) return handle(request, response, next);
    const layer = scope.layers.begin();
    const result = handle(request, response, next);
    scope.layers.returned(layer, result);
    return result;
  };
}

function tellingErrorHandle(handle: ErrorHandle): ErrorHandle {
  return (error, request, response, next) => {
    const scope = attachedTo(request);
    if (!(scope instanceof HttpScope)) return handle(error, request, response, next);
    const layer = scope.layers.begin();
    const result = handle(error, request, response, next);
    scope.layers.returned(layer, result);
    return result;
  };
}
