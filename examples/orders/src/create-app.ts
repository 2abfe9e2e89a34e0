import type { NestApplicationOptions } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { AppModule } from './app.module.js';
import type { Database } from './database/database.js';

/** The shop, not listening yet. */
export function createApp(
  database: Database,
  options: Partial<NestApplicationOptions> = {},
): Promise<NestExpressApplication> {
  // A failure goes to the caller, instead of ending the process right here.
  const settings: Partial<NestApplicationOptions> = { abortOnError: false, ...options };
  return NestFactory.create<NestExpressApplication>(AppModule.with(database), settings);
}
