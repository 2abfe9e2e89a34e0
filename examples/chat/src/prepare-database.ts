import pg from 'pg';

/** A schema of its own, so that the chat can be a guest in any database. */
export const SCHEMA = 'nestjs_pool_chat';

const CREATE_SCHEMA = `
  create schema if not exists ${SCHEMA};
  set search_path to ${SCHEMA};
  create table if not exists authors (
    id int generated always as identity primary key,
    name text not null unique,
    -- A token itself is nobody's business but its owner's.
    token_hash bytea unique
  );
  create table if not exists rooms (
    name text primary key,
    said int not null default 0
  );
  create table if not exists messages (
    id int generated always as identity primary key,
    room text not null references rooms,
    author_id int not null references authors,
    text text not null,
    hidden_because text
  );
  create index if not exists messages_of_room on messages (room, id)`;

/** Three authors, whose tokens are their names in lower case, and a room that has a long history. */
const SEED = `
  insert into authors (name, token_hash)
    select name, sha256(convert_to(lower(name), 'UTF8')) from unnest(array['Ada', 'Grace', 'Alan']) as name;
  insert into rooms (name, said) values ('lobby', 1), ('archive', 10000);
  insert into messages (room, author_id, text) values ('lobby', 1, 'Welcome');
  insert into messages (room, author_id, text)
    select 'archive', 1 + n % 2, 'Message ' || n from generate_series(1, 10000) as n`;

/** Creates and fills the tables, unless they are there. Before the application starts, as migrations should. */
export async function prepareDatabase(connectionString: string): Promise<void> {
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5_000 });
  // The query that fails tells; without a listener the event would end the process.
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(CREATE_SCHEMA);
    const { rowCount } = await client.query('select from rooms limit 1');
    if (rowCount === 0) await client.query(SEED);
  } finally {
    await client.end();
  }
}
