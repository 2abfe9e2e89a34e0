import {
  Controller,
  Get,
  Post,
  Res,
  Sse,
  StreamableFile,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { map, type Observable } from 'rxjs';
import { Borrow, type BorrowOptions } from '../../src/index.js';
import { TheGuest, type Guest } from './guest.js';
import { Kit } from './kit.js';
import { LinesOf, eventsOf, linesOf, pagesOf } from './sources.js';
import { FilterWithQuery, GuardWithQuery, Impatience, Transaction } from './surroundings.js';

/** Nobody waits for a second connection for long: those who have their first may all be waiting for one. */
const FRESH: BorrowOptions = { fresh: true, timeout: 150, priority: 'high' };

type AnyResponse = ServerResponse & { raw?: ServerResponse };

/** Every kind of answer, with the borrow three services below the handler. */
@Controller('deep')
export class DeepController {
  constructor(protected readonly kit: Kit) {}

  @Get('json')
  async json(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    this.kit.work.failBefore(guest);
    return this.work(guest, given);
  }

  @Get('plain')
  plain(@TheGuest() guest: Guest, _given?: Client): object {
    this.kit.work.failBefore(guest);
    return { id: guest.visit.id };
  }

  @Get('filtered')
  @UseFilters(FilterWithQuery)
  filtered(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    return DeepController.prototype.json.call(this, guest, given);
  }

  @Get('middleware')
  middleware(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    return this.work(guest, given);
  }

  @Post('transaction')
  @UseGuards(GuardWithQuery)
  @UseInterceptors(Transaction)
  async transaction(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    const db = given ?? (await this.kit.facade.get());
    await this.kit.work.enter(db, guest);
    return await this.work(guest, db);
  }

  @Get('timeout')
  @UseInterceptors(Impatience)
  async timeout(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    const db = given ?? (await this.kit.facade.get());
    await this.work(guest, db);
    using _use = this.kit.custody.use(db, guest);
    await db.query('select pg_sleep(0.005)');
    return {};
  }

  @Get('file')
  async file(@TheGuest() guest: Guest, given?: Client): Promise<StreamableFile> {
    const db = await this.kit.begun(guest, given);
    return new StreamableFile(new LinesOf(db, guest, this.kit.custody));
  }

  @Get('readable')
  async readable(@TheGuest() guest: Guest, given?: Client): Promise<Readable> {
    const db = await this.kit.begun(guest, given);
    return Readable.from(linesOf(db, guest, this.kit.custody), { objectMode: false });
  }

  @Get('generator')
  async generator(@TheGuest() guest: Guest, given?: Client): Promise<AsyncGenerator<Buffer>> {
    const db = await this.kit.begun(guest, given);
    return pagesOf(db, guest, this.kit.custody);
  }

  @Get('by-hand')
  async byHand(@TheGuest() guest: Guest, @Res() response: AnyResponse, given?: Client): Promise<void> {
    const raw = response.raw ?? response;
    try {
      const db = await this.kit.begun(guest, given);
      using _use = this.kit.custody.use(db, guest);
      raw.writeHead(200);
      raw.write('begun\n');
      for await (const page of pagesOf(db, guest, this.kit.custody)) raw.write(page);
    } catch {
      // Who answers by hand answers for failures too.
      if (!raw.headersSent) raw.statusCode = 500;
    }
    // Later, when the handler is done with its connection.
    if (guest.visit.id % 2) setImmediate(() => raw.end());
    else raw.end();
  }

  @Sse('sse')
  async sse(@TheGuest() guest: Guest, given?: Client): Promise<Observable<{ data: number }>> {
    const db = await this.kit.begun(guest, given);
    return eventsOf(db, guest, this.kit.custody).pipe(map(data => ({ data })));
  }

  @Get('unawaited')
  async unawaited(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    const answer = await this.work(guest, given);
    // Nobody awaits it, so it may still get the connection, or none; what it gets it must not use.
    for (let i = guest.visit.patience; i > 0; i--) {
      setImmediate(() => void this.kit.facade.get().catch(() => undefined));
    }
    return answer;
  }

  @Get('fresh')
  async fresh(@TheGuest() guest: Guest, given?: Client, other?: Client): Promise<object> {
    const { facade, work } = this.kit;
    const shared = given ?? (await facade.get());
    const own = other ?? (await facade.get(FRESH));
    if (shared === own) throw new Error('two borrows, one of them fresh, have the same connection');
    // When one of them fails the other has to be waited for all the same, or it would outlive the handler.
    const both = await Promise.allSettled([work.do(shared, guest), work.do(own, guest)]);
    const failed = both.find(result => result.status === 'rejected');
    if (failed) throw failed.reason;
    return {};
  }

  @Get('try-acquire')
  async tryAcquire(@TheGuest() guest: Guest, _given?: Client): Promise<object> {
    using lease = this.kit.pool.tryAcquire();
    if (!lease) return { busy: true };
    await this.kit.work.do(lease.resource, guest);
    return {};
  }

  @Get('use')
  async use(@TheGuest() guest: Guest, _given?: Client): Promise<object> {
    return { id: await this.kit.pool.use(db => this.kit.work.do(db, guest)) };
  }

  @Get('own')
  async own(@TheGuest() guest: Guest, given?: Client): Promise<object> {
    const { scopes, facade, work } = this.kit;
    // A scope of its own outlives the request.
    const later = scopes.run(async () => work.do(await facade.get({ timeout: 50 }), guest), { own: true });
    later.catch(() => undefined);
    return this.work(guest, given);
  }

  private async work(guest: Guest, given: Client | undefined): Promise<object> {
    return { id: await this.kit.work.do(given ?? (await this.kit.facade.get()), guest) };
  }
}

/** The same answers, with the borrow as a parameter of the handler. */
@Controller('parameter')
export class ParameterController extends DeepController {
  @Get('json') override json(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.json(guest, db);
  }
  @Get('filtered')
  @UseFilters(FilterWithQuery)
  override filtered(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.filtered(guest, db);
  }
  @Get('middleware') override middleware(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.middleware(guest, db);
  }
  @Post('transaction')
  @UseGuards(GuardWithQuery)
  @UseInterceptors(Transaction)
  override transaction(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.transaction(guest, db);
  }
  @Get('timeout')
  @UseInterceptors(Impatience)
  override timeout(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.timeout(guest, db);
  }
  @Get('file') override file(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.file(guest, db);
  }
  @Get('readable') override readable(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.readable(guest, db);
  }
  @Get('generator') override generator(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.generator(guest, db);
  }
  @Get('by-hand')
  override byHand(@TheGuest() guest: Guest, @Res() response: AnyResponse, @Borrow('storm-db') db: Client) {
    return super.byHand(guest, response, db);
  }
  @Sse('sse') override sse(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.sse(guest, db);
  }
  @Get('unawaited') override unawaited(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.unawaited(guest, db);
  }
  @Get('fresh')
  override fresh(
    @TheGuest() guest: Guest,
    @Borrow('storm-db') db: Client,
    @Borrow('storm-db', FRESH) other: Client,
  ) {
    return super.fresh(guest, db, other);
  }
  @Get('own') override own(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client) {
    return super.own(guest, db);
  }
}
