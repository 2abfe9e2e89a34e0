import { BadGatewayException, GatewayTimeoutException, NotFoundException } from '@nestjs/common';
import { PoolError } from 'nestjs-pool';
import { HttpTimeoutError, type HttpFetchInit, type HttpSession } from 'nestjs-pool/http';

/**
 * Asks an upstream for JSON.
 *
 * @throws HttpException for what it answers instead, or not at all; PoolError, which `PoolModule` makes 503 with Retry-After
 */
export async function ask(session: HttpSession, path: string, init: HttpFetchInit): Promise<unknown> {
  const response = await session.fetch(path, init).catch(failed(session, init));
  if (response.ok) return response.json().catch(failed(session, init));
  // Read to its end, or the connection would not be free for the next one.
  await response.arrayBuffer().catch(failed(session, init));
  if (response.status === 404) throw new NotFoundException();
  throw new BadGatewayException(`${session.name} answered ${response.status}`);
}

/** Says it as a gateway does, and without what its clients need not know. */
export function failed({ name }: HttpSession, { signal }: Pick<HttpFetchInit, 'signal'>) {
  return (error: unknown): never => {
    // The client has left: nobody is to be told.
    signal?.throwIfAborted();
    if (error instanceof PoolError) throw error;
    // Where a body fails, fetch has the reason as a cause.
    const { cause } = error as Error;
    if (error instanceof HttpTimeoutError || cause instanceof HttpTimeoutError) {
      throw new GatewayTimeoutException(`${name} did not answer in time`, { cause: error });
    }
    throw new BadGatewayException(`${name} did not answer as it should`, { cause: error });
  };
}
