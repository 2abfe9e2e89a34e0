import { Controller, Get, StreamableFile, UseInterceptors } from '@nestjs/common';
import { Readable } from 'node:stream';
import type { Client } from 'pg';
import { Borrow } from '../../../src/index.js';
import { TheGuest, type Guest } from '../guest.js';
import { Kit } from '../kit.js';
import { linesOf } from '../sources.js';
import { Gzip, RowsAsFile, Selection } from './interceptors.js';

/** Handlers whose streams are made, or changed, by interceptors. */
@Controller('streams')
export class StreamsController {
  constructor(private readonly kit: Kit) {}

  @Get(['made-file', 'made-pipeline', 'made-pipe'])
  @UseInterceptors(RowsAsFile)
  async selection(@TheGuest() guest: Guest): Promise<Selection> {
    return new Selection(await this.begun(await this.kit.facade.get(), guest));
  }

  @Get('gzip')
  @UseInterceptors(Gzip)
  async zipped(@TheGuest() guest: Guest, @Borrow('storm-db') db: Client): Promise<StreamableFile> {
    const lines = linesOf(await this.begun(db, guest), guest, this.kit.custody);
    return new StreamableFile(Readable.from(lines, { objectMode: false }));
  }

  private async begun(db: Client, guest: Guest): Promise<Client> {
    using _use = await this.kit.custody.begin(db, guest);
    guest.at('holding');
    return db;
  }
}
