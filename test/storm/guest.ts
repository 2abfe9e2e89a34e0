import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IncomingMessage } from 'node:http';
import type { Visit } from './plan.js';

/** Where the server is with a request. */
export type Point = 'asking' | 'holding' | 'done' | 'failed';

/** A request that is under way, as its client and the application both see it. */
export class Guest {
  /** For the report about one that is stuck. */
  readonly reached: Point[] = [];
  private readonly waiting = new Map<Point, () => void>();

  constructor(readonly visit: Visit) {}

  /** The application says where it is. */
  at(point: Point): void {
    if (this.reached.includes(point)) return;
    this.reached.push(point);
    const act = this.waiting.get(point);
    // Not in the middle of what the application is doing, as no client could.
    if (act) setImmediate(act);
  }

  /** The client acts when the application has come so far. */
  when(point: Point, act: () => void): void {
    this.waiting.set(point, act);
  }

  toString(): string {
    const { id, kind, method, deep, leaves = 'stays', fails, trace } = this.visit;
    return (
      `#${id} ${method} ${deep ? 'deep' : 'parameter'}/${kind}, ${leaves}` +
      `${fails ? `, fails: ${fails}` : ''}${trace ? `, trace: ${trace}` : ''}; reached: ${this.reached.join(', ')}`
    );
  }
}

/** Those of this round. The application finds them by a header of the request. */
export class GuestBook {
  static readonly HEADER = 'x-guest';
  private readonly guests = new Map<string, Guest>();

  register(visit: Visit): Guest {
    const guest = new Guest(visit);
    this.guests.set(String(visit.id), guest);
    return guest;
  }

  of(request: Pick<IncomingMessage, 'headers'>): Guest {
    const guest = this.guests.get(String(request.headers[GuestBook.HEADER]));
    if (!guest) throw new Error('a request that nobody has planned');
    return guest;
  }

  clear(): void {
    this.guests.clear();
  }
}

interface StormRequest {
  guest?: Guest;
}

export function setGuest(request: StormRequest, guest: Guest): void {
  request.guest = guest;
}

type Context = Pick<ExecutionContext, 'switchToHttp' | 'getType' | 'getArgByIndex'>;

type Headed = Pick<IncomingMessage, 'headers'> & StormRequest;

/** The request, as the platform has it; in GraphQL it is in the third of a resolver's arguments. Of a message, what it carries. */
export function requestOf(context: Context): Headed {
  switch (context.getType<string>()) {
    case 'ws':
      return context.getArgByIndex<Headed>(1);
    case 'rpc':
      return context.getArgByIndex<Headed>(0);
    case 'graphql':
      return context.getArgByIndex<{ req: Headed }>(2).req;
    default:
      return context.switchToHttp().getRequest<Headed>();
  }
}

export function guestOf(context: Context): Guest {
  return requestOf(context).guest!;
}

/** The guest whose request it is, as a parameter of the handler. */
export const TheGuest = createParamDecorator((_: unknown, context: ExecutionContext) => guestOf(context));
