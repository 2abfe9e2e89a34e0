import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { ActionRefused } from './actions.js';

/** A request, of Express or of Fastify. */
export interface AnyRequest {
  readonly method: string;
  readonly url: string;
  readonly originalUrl?: string;
  readonly headers: IncomingHttpHeaders;
  readonly body?: unknown;
  readonly ip?: string;
  readonly user?: unknown;
  readonly raw?: IncomingMessage;
}

/** Its answer: Express gives Node's own, Fastify one of its own around it. */
export type AnyResponse = ServerResponse | FastifyReply;

interface FastifyReply {
  readonly raw: ServerResponse;
  hijack(): void;
  getHeaders(): Record<string, number | string | string[] | undefined>;
}

/**
 * Node's response, with the head of an event stream sent. Neither a proxy nor the application's compression may wait for more of it
 * before it passes anything on.
 */
export function streamOf(response: AnyResponse): ServerResponse {
  let raw: ServerResponse;
  if ('raw' in response) {
    response.hijack();
    raw = response.raw;
    for (const [name, value] of Object.entries(response.getHeaders())) {
      if (value !== undefined) raw.setHeader(name, value);
    }
  } else {
    raw = response;
  }
  raw.writeHead(200, {
    'Content-Type': 'text/event-stream; charset=utf-8',
    'Cache-Control': 'no-store, no-transform',
    'X-Accel-Buffering': 'no',
    'X-Content-Type-Options': 'nosniff',
  });
  return raw;
}

/** Bytes. */
const LARGEST_BODY = 4_096;

/**
 * What was sent, also where the application parses no bodies.
 *
 * @throws ActionRefused
 */
export async function bodyOf(request: AnyRequest): Promise<unknown> {
  if (request.body !== undefined) return request.body;
  const incoming = request.raw ?? (request as unknown as IncomingMessage);
  let text = '';
  for await (const chunk of incoming) {
    text += String(chunk);
    if (text.length > LARGEST_BODY) throw new ActionRefused(400, 'The body is too large.');
  }
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new ActionRefused(400, 'The body is no JSON.');
  }
}

/** Who asks, for the log: what a guard has put on the request, and from where. */
export function callerOf({ user, ip = 'an unknown address' }: AnyRequest): string {
  const { username, email, name, id, sub } = (
    typeof user === 'object' && user !== null ? user : {}
  ) as Record<string, unknown>;
  const said = [user, username, email, name, id, sub].flatMap(each =>
    typeof each === 'number' ? [String(each)] : typeof each === 'string' && each !== '' ? [each] : [],
  );
  const [who = 'somebody'] = said;
  // It goes into a line of the log, and must not make others.
  // eslint-disable-next-line no-control-regex
  return `${who.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ').slice(0, 100)} (${ip})`;
}
