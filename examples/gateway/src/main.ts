import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { startCatalog } from './upstreams/catalog.js';
import { startPrices } from './upstreams/prices.js';

async function main({
  PORT = '3000',
  CATALOG_URL,
  PRICES_URL,
  PRICES_TIMEOUT = '500',
}: NodeJS.ProcessEnv): Promise<void> {
  const upstreams = {
    catalogUrl: CATALOG_URL ?? (await startCatalog()),
    pricesUrl: PRICES_URL ?? (await startPrices()),
    pricesTimeout: Number(PRICES_TIMEOUT),
  };
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(upstreams), {
    abortOnError: false,
  });
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`A gateway to a catalog and to prices that are not always there, open at http://localhost:${port}

  curl localhost:${port}/products
  curl localhost:${port}/export -o export.csv
  curl localhost:${port}/quotes --json '{"product":"apple","quantity":3}'
  curl localhost:${port}/stats
  curl localhost:${port}/health/ready
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
