import { WsException } from '@nestjs/websockets';

/** What comes from a client may be anything. */
export function textOf(value: unknown, name: string): string {
  if (typeof value === 'string' && value !== '' && value.length <= 2_000) return value;
  throw new WsException(`${name} must be a text of up to 2000 characters`);
}
