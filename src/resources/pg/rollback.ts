import pg from 'pg';

/** As much of pg's connection as is needed; its types do not tell. */
interface Connection {
  readonly stream: { cork?: () => void; uncork?: () => void };
  parse(statement: { text: string }): void;
  bind(portal: object): void;
  execute(portal: object): void;
  sync(): void;
}

/**
 * ROLLBACK and `DISCARD ALL` in one round trip. The latter must stand alone in a text, and be alone in its transaction; it
 * is, as the ROLLBACK has ended the one before. The list of commands that it stands for could follow in one text, but takes
 * the server three times as long.
 *
 * @param send sends a query in its turn
 */
export function rollbackAndDiscard(send: (query: object) => unknown): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    const query = new pg.Query('ROLLBACK, DISCARD ALL', error => {
      if (error) reject(error);
      else resolve();
    });
    send(Object.assign(query, { submit: sendBoth }));
  });
}

function sendBoth(connection: Connection): null {
  const { stream } = connection;
  stream.cork?.();
  for (const text of ['ROLLBACK', 'DISCARD ALL']) {
    connection.parse({ text });
    connection.bind({});
    connection.execute({});
  }
  connection.sync();
  stream.uncork?.();
  return null;
}
