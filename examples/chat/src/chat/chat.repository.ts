import { Injectable } from '@nestjs/common';
import { Borrowed, InjectBorrowed } from 'nestjs-pool';
import type { Client, QueryResultRow } from 'pg';
import QueryStream from 'pg-query-stream';
import type { Author, Line, Message, Room } from './chat.js';

/**
 * A singleton for all: `get()` gives each message over WebSockets or TCP, each new client and each GraphQL request a
 * connection of its own, the same in all its steps. None is given back here: it returns when that unit of work is over.
 */
@Injectable()
export class ChatRepository {
  constructor(@InjectBorrowed('chat-db') private readonly db: Borrowed<Client>) {}

  async authorByToken(token: string): Promise<Author | undefined> {
    const rows = await this.rows<Author>(
      `select id, name from authors where token_hash = sha256(convert_to($1, 'UTF8'))`,
      [token],
    );
    return rows[0];
  }

  authorsById(ids: readonly number[]): Promise<Author[]> {
    return this.rows('select id, name from authors where id = any($1)', [ids]);
  }

  async room(name: string): Promise<Room | undefined> {
    return (await this.rows<Room>('select name, said from rooms where name = $1', [name]))[0];
  }

  /** The last messages of a room, the oldest of them first. */
  async last(room: string, count: number): Promise<Message[]> {
    const rows = await this.rows<Message>(
      `select id, room, author_id as "authorId", text from messages
       where room = $1 and hidden_because is null order by id desc limit $2`,
      [room, count],
    );
    return rows.reverse();
  }

  /**
   * All messages of a room, read from the server as they are wanted. It borrows when the first is wanted; whoever stops
   * half-way closes the cursor, so that the connection is good for the next one.
   */
  async *history(room: string): AsyncGenerator<Line> {
    const db = await this.db.get();
    yield* db.query(
      new QueryStream(
        `select messages.id, authors.name as author, text from messages join authors on authors.id = author_id
         where room = $1 and hidden_because is null order by messages.id`,
        [room],
        { batchSize: 100 },
      ),
    ) as AsyncIterable<Line>;
  }

  async add(room: string, author: Author, text: string): Promise<Line> {
    const rows = await this.rows<{ id: number }>(
      'insert into messages (room, author_id, text) values ($1, $2, $3) returning id',
      [room, author.id, text],
    );
    return { id: rows[0]!.id, author: author.name, text };
  }

  async count(room: string, messages: 1 | -1): Promise<void> {
    await this.rows('update rooms set said = said + $2 where name = $1', [room, messages]);
  }

  /** @returns its room; undefined if there is no such message to be seen */
  async hide(id: number, reason: string): Promise<string | undefined> {
    const rows = await this.rows<{ room: string }>(
      'update messages set hidden_because = $2 where id = $1 and hidden_because is null returning room',
      [id, reason],
    );
    return rows[0]?.room;
  }

  /** What they have said stays; their token is worth nothing any more. */
  async forget(name: string): Promise<Author | undefined> {
    const rows = await this.rows<Author>(
      'update authors set token_hash = null where name = $1 returning id, name',
      [name],
    );
    return rows[0];
  }

  private async rows<R extends QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    const db = await this.db.get();
    return (await db.query<R>(text, values)).rows;
  }
}
