import { Injectable } from '@nestjs/common';
import type { Client } from 'pg';
import { BorrowScopes, InjectPool, Pool } from '../../src/index.js';
import { Custody } from './custody.js';
import { Facade } from './services.js';
import { Work } from './work.js';

/** What handlers need. */
@Injectable()
export class Kit {
  constructor(
    readonly facade: Facade,
    readonly custody: Custody,
    readonly work: Work,
    readonly scopes: BorrowScopes,
    @InjectPool('storm-db') readonly pool: Pool<Client>,
  ) {}
}
