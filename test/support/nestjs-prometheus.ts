import * as common from '@nestjs/common';
import * as promClient from 'prom-client';
import type * as Package from '@willsoto/nestjs-prometheus';
import { loadCommonJs } from './common-js.js';

export const { PrometheusModule } = loadCommonJs('@willsoto/nestjs-prometheus/dist/index.js', {
  '@nestjs/common': common,
  'prom-client': promClient,
}) as typeof Package;
