import { BadRequestException, Body, Controller, Get, Post } from '@nestjs/common';
import { Borrow } from 'nestjs-pool';
import { Client } from 'pg';
import { NotesRepository, type Note } from './notes.repository.js';

@Controller('notes')
export class NotesController {
  constructor(private readonly notes: NotesRepository) {}

  @Get()
  list(): Promise<Note[]> {
    return this.notes.list();
  }

  @Post()
  add(@Body('text') text: unknown): Promise<Note> {
    if (typeof text !== 'string' || text === '') throw new BadRequestException('text must say something');
    return this.notes.add(text);
  }

  /** The session that a request works in: whose it is, and what it has been told to remember. */
  @Get('session')
  async session(@Borrow('tenants') db: Client): Promise<unknown> {
    const { rows } = await db.query<{ tenant: string; remembered: string | null }>(
      `select current_schema() as tenant, nullif(current_setting('notes.remembered', true), '') as remembered`,
    );
    return rows[0];
  }

  /** Leaves something in the session. Nobody else will find it: not another tenant, nor the next request of this one. */
  @Post('session')
  async remember(@Borrow('tenants') db: Client, @Body('text') text: unknown): Promise<unknown> {
    await db.query(`select set_config('notes.remembered', $1, false)`, [String(text)]);
    return this.session(db);
  }
}
