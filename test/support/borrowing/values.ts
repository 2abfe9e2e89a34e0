import { Controller, Get, Headers, Redirect, Res, type Type } from '@nestjs/common';
import { Observable, finalize, from, mergeMap } from 'rxjs';
import { Borrower, Given, WAYS } from './services.js';
import type { Thing } from './thing.js';

/** Both Express and Fastify call these methods so. */
interface Head {
  status(code: number): unknown;
  header(name: string, value: string): unknown;
}

/** Handlers that answer with a value, or an error. */
export const valueControllers = WAYS.map((way): Type => {
  @Controller(way)
  class Values extends Borrower {
    @Get('json')
    async json(@Given(way) given?: Thing): Promise<object> {
      const thing = await this.thing(given);
      await this.stage.pass('handler');
      return { id: thing.use() };
    }

    @Get('nothing')
    async nothing(@Given(way) given?: Thing): Promise<void> {
      (await this.thing(given)).use();
    }

    @Get('big')
    async big(@Given(way) given?: Thing): Promise<object> {
      return { id: (await this.thing(given)).use(), padding: 'x'.repeat(20_000_000) };
    }

    @Get('redirect')
    @Redirect('/elsewhere', 301)
    async redirect(@Given(way) given?: Thing): Promise<void> {
      (await this.thing(given)).use();
    }

    @Get('redirect-to')
    @Redirect()
    async redirectTo(@Given(way) given?: Thing): Promise<{ url: string; statusCode: number }> {
      return { url: `/things/${(await this.thing(given)).use()}`, statusCode: 307 };
    }

    @Get('cached')
    async cached(
      @Res({ passthrough: true }) response: Head,
      @Headers('if-none-match') known: string | undefined,
      @Given(way) given?: Thing,
    ): Promise<object | undefined> {
      const tag = `"${(await this.thing(given)).use()}"`;
      response.header('etag', tag);
      if (known !== tag) return { tag };
      response.status(304);
      return undefined;
    }

    @Get('throw')
    async throw(@Given(way) given?: Thing): Promise<never> {
      (await this.thing(given)).use();
      await this.stage.pass('handler');
      throw new Error('from the handler');
    }

    @Get('throw-at-once')
    throwAtOnce(@Given(way) given?: Thing): never {
      void this.thing(given).catch(() => undefined);
      throw new Error('from the handler');
    }

    /** Not asynchronous: what it answers is the last of these. */
    @Get('observable')
    observable(@Given(way) given?: Thing): Observable<object> {
      const borrowed = this.thing(given);
      // Nest subscribes to nothing for a client that has left, and then nobody awaits it.
      borrowed.catch(() => undefined);
      return from(borrowed).pipe(
        mergeMap(
          thing =>
            new Observable<object>(subscriber => {
              subscriber.next({ id: 0 });
              void this.stage.pass('running').then(() => {
                if (subscriber.closed) return;
                subscriber.next({ id: thing.use() });
                subscriber.complete();
              });
              return () => {
                thing.use();
                this.stage.note('unsubscribed');
              };
            }),
        ),
        finalize(() => {
          this.stage.note('over');
        }),
      );
    }
  }
  return Values;
});
