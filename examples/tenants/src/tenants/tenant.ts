import { BadRequestException, NotFoundException } from '@nestjs/common';
import type { KeyRequest } from 'nestjs-pool';

/** Who shares this application. Each has a schema of its own in the database. */
export const TENANTS: readonly string[] = ['acme', 'globex', 'initech'];

/**
 * The tenant of a request: the key of its connections. One rule for all handlers, so that none can look elsewhere. A name
 * that is not on the list never reaches the database.
 */
export function tenantOf(request: KeyRequest): string {
  const tenant = request.headers['x-tenant'];
  if (typeof tenant !== 'string') throw new BadRequestException('Say who you are: x-tenant');
  if (!TENANTS.includes(tenant)) throw new NotFoundException('There is no such tenant');
  return tenant;
}

export function schemaOf(tenant: string): string {
  return `nestjs_pool_tenant_${tenant}`;
}
