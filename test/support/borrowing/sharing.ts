import {
  Body,
  Controller,
  Get,
  Param,
  Post,
  Req,
  UseFilters,
  UseGuards,
  UseInterceptors,
  type Type,
} from '@nestjs/common';
import { from, type Observable } from 'rxjs';
import {
  BorrowingFilter,
  BorrowingGuard,
  BorrowingPipe,
  CommitInterceptor,
  FailingFilter,
  HastyGuard,
  IMPATIENT,
  ThrowingPipe,
} from './around.js';
import { Borrower, Given, WAYS } from './services.js';
import type { Thing } from './thing.js';

/** Handlers that are not alone: guards, pipes, interceptors and filters around them use the same thing. */
export const sharingControllers = WAYS.map((way): Type => {
  @Controller(way)
  class Sharing extends Borrower {
    @Post('post/:what')
    @UseGuards(BorrowingGuard)
    @UseInterceptors(CommitInterceptor)
    async post(
      @Req() request: { used: string[] },
      @Body() body: { n: number },
      @Param('what', BorrowingPipe) what: string,
      @Given(way) given?: Thing,
    ): Promise<object> {
      return {
        n: body.n,
        used: [...request.used, `pipe: ${what}`, `handler ${(await this.thing(given)).use()}`],
      };
    }

    @Get('guarded')
    @UseGuards(BorrowingGuard)
    async guarded(@Given(way) given?: Thing): Promise<object> {
      return { id: (await this.thing(given)).use() };
    }

    @Get('hastily-guarded')
    @UseGuards(HastyGuard)
    async hastilyGuarded(@Given(way) given?: Thing): Promise<object> {
      return { id: (await this.thing(given)).use() };
    }

    /** One pipe throws; the parameter beside it borrows. */
    @Get('piped/:a/:b')
    async piped(
      @Param('a', BorrowingPipe) _a: string,
      @Param('b', ThrowingPipe) _b: string,
      @Given(way) given?: Thing,
    ): Promise<object> {
      return { id: (await this.thing(given)).use() };
    }

    @Get('commit')
    @UseInterceptors(CommitInterceptor)
    async commit(@Given(way) given?: Thing): Promise<number> {
      const thing = await this.thing(given);
      await this.stage.pass('handler');
      return thing.use();
    }

    @Get('commit-observed')
    @UseInterceptors(CommitInterceptor)
    commitObserved(@Given(way) given?: Thing): Observable<number> {
      return from(this.commit(given));
    }

    @Get('timeout')
    @UseInterceptors(IMPATIENT)
    async timeout(@Given(way) given?: Thing): Promise<number> {
      const thing = await this.thing(given);
      await this.stage.pass('handler');
      return thing.use();
    }

    @Get('filtered')
    @UseFilters(BorrowingFilter)
    async filtered(@Given(way) given?: Thing): Promise<never> {
      await this.thing(given);
      await this.stage.pass('handler');
      throw new Error('from the handler');
    }

    @Get('badly-filtered')
    @UseFilters(FailingFilter)
    async badlyFiltered(@Given(way) given?: Thing): Promise<never> {
      await this.thing(given);
      throw new Error('from the handler');
    }

    @Get('twice')
    async twice(@Given(way) given?: Thing): Promise<object> {
      const thing = await this.thing(given);
      const [a, b] = await Promise.all([this.facade.get(), this.facade.get()]);
      return { same: a === b && b === thing };
    }

    @Get('unawaited')
    async unawaited(@Given(way) given?: Thing): Promise<object> {
      await this.thing(given);
      void this.stage.pass('afterwards').then(async () => {
        const error: unknown = await this.facade.get().catch((e: unknown) => e);
        this.stage.note((error as Error).name);
      });
      return {};
    }
  }
  return Sharing;
});

export const sharingProviders = [
  BorrowingGuard,
  HastyGuard,
  BorrowingPipe,
  ThrowingPipe,
  CommitInterceptor,
  BorrowingFilter,
];
