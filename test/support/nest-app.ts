import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  Logger,
  type INestApplication,
  type LoggerService,
  type ModuleMetadata,
  type NestApplicationOptions,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';

export type Platform = 'express' | 'fastify';
export const PLATFORMS: readonly Platform[] = ['express', 'fastify'];

export class LogBook implements LoggerService {
  readonly lines: string[] = [];
  log = (message: unknown): void => this.write('log', message);
  warn = (message: unknown): void => this.write('warn', message);
  error = (message: unknown): void => this.write('error', message);
  debug = (): void => undefined;
  verbose = (): void => undefined;

  /** What the pools had to say. */
  get ofPools(): string[] {
    return this.lines.filter(line => line.includes('Pool "'));
  }

  private write(level: string, message: unknown): void {
    this.lines.push(`${level}: ${message instanceof Error ? String(message.stack) : String(message)}`);
  }
}

export interface RunningApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly log: LogBook;
}

/** A real application on a real port. */
export async function serve(
  platform: Platform | FastifyAdapter,
  metadata: ModuleMetadata,
  prepare: (app: INestApplication) => unknown = () => undefined,
  options: NestApplicationOptions = {},
): Promise<RunningApp> {
  const log = new LogBook();
  const adapter =
    platform === 'express' ? new ExpressAdapter() : platform === 'fastify' ? new FastifyAdapter() : platform;
  class TestAppModule {}
  const root = { module: TestAppModule, ...metadata };
  const app = await NestFactory.create(root, adapter, { logger: log, abortOnError: false, ...options });
  await prepare(app);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  return { app, url: `http://127.0.0.1:${port}`, log };
}

/** Takes Nest's process-wide logger back from an application that is gone. */
export function forgetLoggers(): void {
  Logger.overrideLogger(false);
}
