import { Injectable } from '@nestjs/common';
import { Borrowed, InjectBorrowed } from 'nestjs-pool';
import type { Client } from 'pg';

export interface Note {
  id: number;
  text: string;
}

/** A singleton that knows nothing of tenants: its connection is that of the tenant whose request it works for. */
@Injectable()
export class NotesRepository {
  constructor(@InjectBorrowed('tenants') private readonly db: Borrowed<Client, string>) {}

  async list(): Promise<Note[]> {
    const db = await this.db.get();
    return (await db.query<Note>('select id::int, text from notes order by id')).rows;
  }

  async add(text: string): Promise<Note> {
    const db = await this.db.get();
    const { rows } = await db.query<Note>('insert into notes (text) values ($1) returning id::int, text', [
      text,
    ]);
    return rows[0]!;
  }
}
