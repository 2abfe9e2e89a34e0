import * as asyncHooks from 'node:async_hooks';
import * as crypto from 'node:crypto';
import * as net from 'node:net';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import type * as Package from '@nestjs/throttler';
import { loadCommonJs } from './common-js.js';

export const { SkipThrottle, ThrottlerGuard, ThrottlerModule } = loadCommonJs('@nestjs/throttler', {
  '@nestjs/common': common,
  '@nestjs/core': core,
  async_hooks: asyncHooks,
  net,
  'node:crypto': crypto,
}) as typeof Package;
