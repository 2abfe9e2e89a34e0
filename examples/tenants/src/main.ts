import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { startPostgres } from 'local-postgres';
import { AppModule } from './app.module.js';
import { prepareDatabase } from './prepare-database.js';

async function main({ DATABASE_URL, PORT = '3000' }: NodeJS.ProcessEnv): Promise<void> {
  // Its own PostgreSQL stops with this process.
  const url = DATABASE_URL ?? (await startPostgres({ database: 'tenants' })).url;
  await prepareDatabase(url);
  const app = await NestFactory.create<NestFastifyApplication>(AppModule.with(url), new FastifyAdapter(), {
    abortOnError: false,
  });
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`Notes of three tenants, open at http://localhost:${port}

  curl localhost:${port}/notes -H 'x-tenant: acme' -d text=hello
  curl localhost:${port}/notes -H 'x-tenant: acme'
  curl localhost:${port}/notes -H 'x-tenant: globex'
  curl localhost:${port}/pools
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
