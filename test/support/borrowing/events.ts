import { Controller, Headers, Sse, type Type } from '@nestjs/common';
import { Observable } from 'rxjs';
import { Borrower, Given, WAYS } from './services.js';
import type { Thing } from './thing.js';

/** Handlers that answer with server-sent events. */
export const eventControllers = WAYS.map((way): Type => {
  @Controller(way)
  class Events extends Borrower {
    @Sse('sse')
    async sse(
      @Headers('x-fails') fails?: string,
      @Given(way) given?: Thing,
    ): Promise<Observable<{ data: string }>> {
      const thing = await this.thing(given);
      await this.stage.pass('setup');
      if (fails === 'setup') throw new Error('no events today');
      return new Observable(subscriber => {
        subscriber.next({ data: String(thing.use()) });
        this.stage.note('subscribed');
        void this.stage.pass('complete').then(() => {
          if (fails === 'events') subscriber.error(new Error('no more events'));
          else subscriber.complete();
        });
        return () => {
          thing.use();
          this.stage.note('unsubscribed');
        };
      });
    }
  }
  return Events;
});
