import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as cls from 'nestjs-cls';
import type * as Package from '@nestjs-cls/transactional';
import { loadCommonJs } from './common-js.js';

export const { ClsPluginTransactional, InjectTransaction, Propagation, TransactionHost, Transactional } =
  loadCommonJs('@nestjs-cls/transactional/dist/src/index.js', {
    '@nestjs/common': common,
    '@nestjs/core': core,
    'nestjs-cls': cls,
  }) as typeof Package;
