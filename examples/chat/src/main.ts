import type { AddressInfo, Server } from 'node:net';
import { NestFactory } from '@nestjs/core';
import { Transport, type MicroserviceOptions } from '@nestjs/microservices';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { startPostgres } from 'local-postgres';
import { AppModule } from './app.module.js';
import { prepareDatabase } from './prepare-database.js';

async function main({ DATABASE_URL, PORT = '3000', TCP_PORT = '3001' }: NodeJS.ProcessEnv): Promise<void> {
  // Its own PostgreSQL stops with this process.
  const url = DATABASE_URL ?? (await startPostgres({ database: 'chat' })).url;
  await prepareDatabase(url);
  const app = await NestFactory.create<NestExpressApplication>(AppModule.with(url), { abortOnError: false });
  app.enableShutdownHooks([], { useProcessExit: true });
  const microservice = app.connectMicroservice<MicroserviceOptions>({
    transport: Transport.TCP,
    // Whoever can connect is believed: nobody but this machine can.
    options: { host: '127.0.0.1', port: Number(TCP_PORT) },
  });
  await app.startAllMicroservices();
  await app.listen(Number(PORT));
  const { port } = app.getHttpServer().address() as AddressInfo;
  const { port: tcpPort } = microservice.unwrap<Server>().address() as AddressInfo;
  console.log(`A chat, open at http://localhost:${port}, and for moderators at TCP port ${tcpPort}

  PORT=${port} node examples/chat/client.mjs ada lobby
  TCP_PORT=${tcpPort} node examples/chat/moderate.mjs hide 1
  curl localhost:${port}/graphql --json '{"query":"{ room(name: \\"lobby\\") { messages { text author { name } } } }"}'
  curl localhost:${port}/pool
  curl localhost:${port}/health/ready
`);
}

main(process.env).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
});
