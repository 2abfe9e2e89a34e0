import { IncomingMessage } from 'node:http';

/** A request whose connection has become one of another protocol: Node says so itself, whatever its headers ask for. */
export function isUpgraded(request: unknown): request is IncomingMessage {
  return request instanceof IncomingMessage && (request as { upgrade?: boolean }).upgrade === true;
}
