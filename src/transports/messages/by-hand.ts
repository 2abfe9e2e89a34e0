import { grpcCallOf } from './peers.js';

/** What Nest keeps about the parameters of a handler; the same in NestJS 11 and 12. */
const PARAMETERS = '__routeArguments__';
const ACK = '13';

/** An answer that the handler gives itself, also after it has returned. */
export interface ByHand {
  readonly given: boolean;
  onceGiven(tell: () => void): void;
}

type Callback = (...answer: unknown[]) => unknown;

/**
 * The answer of a handler that has to answer by itself: it takes the acknowledgement of a message (`@Ack()`), or the call of a
 * stream (`@GrpcStreamCall()`). Callbacks among the arguments are put others in place of, that notice when they are called.
 */
export function byHand(
  type: string,
  args: unknown[],
  controller: object,
  key: string | symbol,
): ByHand | undefined {
  if (type === 'ws') return takesAck(controller, key) ? byCallback(args) : undefined;
  // Of all calls of gRPC, only such a stream is the first argument.
  const call = type === 'rpc' ? grpcCallOf([undefined, undefined, args[0]]) : undefined;
  if (!call) return undefined;
  return (
    byCallback(args) ?? {
      get given() {
        return call.writableFinished === true;
      },
      onceGiven: tell => {
        call.once('finish', tell);
      },
    }
  );
}

function takesAck(controller: object, key: string | symbol): boolean {
  const parameters = (Reflect.getMetadata(PARAMETERS, controller, key) ?? {}) as object;
  return Object.keys(parameters).some(parameter => parameter.split(':', 1)[0] === ACK);
}

function byCallback(args: unknown[]): ByHand | undefined {
  const index = args.findIndex(arg => typeof arg === 'function');
  if (index < 0) return undefined;
  const callback = args[index] as Callback;
  const waiting: (() => void)[] = [];
  const answer = {
    given: false,
    onceGiven: (tell: () => void) => {
      waiting.push(tell);
    },
  };
  args[index] = (...given: unknown[]) => {
    answer.given = true;
    try {
      return callback(...given);
    } finally {
      for (const tell of waiting.splice(0)) tell();
    }
  };
  return answer;
}
