import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';

async function main({ PORT = '3000', WORKERS }: NodeJS.ProcessEnv): Promise<void> {
  // Tasks that compute take a core each; one is left for the thread that answers.
  const workers = Number(WORKERS ?? Math.max(1, availableParallelism() - 1));
  const app = await NestFactory.create<NestFastifyApplication>(
    AppModule.with(workers),
    new FastifyAdapter(),
    {
      abortOnError: false,
    },
  );
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(`Numbers are crunched in ${workers} worker${workers === 1 ? '' : 's'}, open at http://localhost:${port}

  curl -N localhost:${port}/primes/2000000000
  curl localhost:${port}/mandelbrot/800 -o mandelbrot.png
  curl localhost:${port}/stats
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
