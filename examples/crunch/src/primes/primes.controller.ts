import { Controller, Param, ParseIntPipe, Sse, UseGuards, type MessageEvent } from '@nestjs/common';
import { Borrow, BorrowSignal } from 'nestjs-pool';
import type { Observable } from 'rxjs';
import { MAX_N } from '../limits/limits.js';
import { Within } from '../limits/within.guard.js';
import type { Cruncher } from '../workers/workers.module.js';
import { progressEvents } from './progress-events.js';

@Controller('primes')
export class PrimesController {
  /** How many primes there are up to n. The worker is the client's own until it has its result, or has left. */
  @Sse(':n')
  @UseGuards(Within('n', 1, MAX_N))
  count(
    @Param('n', ParseIntPipe) n: number,
    @Borrow('crunch') worker: Cruncher,
    @BorrowSignal() signal: AbortSignal,
  ): Observable<MessageEvent> {
    return progressEvents(async progress => {
      const primes = await worker.call('primes', { n, progress }, { transfer: [progress], signal });
      return { n, primes };
    });
  }
}
