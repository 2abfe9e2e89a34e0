import type { AddressInfo } from 'node:net';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import { tryBrowser } from './browsers.js';
import { reachOf } from './reach.js';

async function main({
  PORT = '3000',
  RENDER_ALLOW = '',
  RENDER_ALLOW_PRIVATE,
}: NodeJS.ProcessEnv): Promise<void> {
  const allowed = RENDER_ALLOW.split(',').filter(origin => origin !== '');
  const reach = await reachOf(allowed, RENDER_ALLOW_PRIVATE === '1');
  await tryBrowser(reach);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(reach), {
    abortOnError: false,
  });
  app.useBodyParser('json', { limit: '1mb' });
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`PDFs and pictures of pages, open at http://localhost:${port}

  curl localhost:${port}/pdf --json '{"html":"<h1>Hello</h1>"}' -o hello.pdf
  curl localhost:${port}/png --json '{"html":"<h1>Hello</h1>"}' -o hello.png
  curl localhost:${port}/pools
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
