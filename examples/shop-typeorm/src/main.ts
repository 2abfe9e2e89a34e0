import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { startPostgres } from 'local-postgres';
import { AppModule } from './app.module.js';

async function main({ DATABASE_URL, PORT = '3000' }: NodeJS.ProcessEnv): Promise<void> {
  // Its own PostgreSQL stops with this process.
  const url = DATABASE_URL ?? (await startPostgres({ database: 'shop' })).url;
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(url), { abortOnError: false });
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`A shop whose TypeORM works on a pool, open at http://localhost:${port}

  curl localhost:${port}/products --json '{"name":"apple","stock":3}'
  curl localhost:${port}/products
  curl localhost:${port}/products/1/sales --json '{"quantity":2}'
  curl localhost:${port}/pool
  curl localhost:${port}/health/ready
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
