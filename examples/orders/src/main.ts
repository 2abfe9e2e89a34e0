import type { AddressInfo } from 'node:net';
import { createApp } from './create-app.js';
import { chosenDatabase } from './database/chosen-database.js';
import { welcome } from './welcome.js';

async function main({ DATABASE, DATABASE_URL, PORT = '3000' }: NodeJS.ProcessEnv): Promise<void> {
  const database = await chosenDatabase(DATABASE, DATABASE_URL);
  const home = await database
    .prepare()
    .catch(failed(`The database${DATABASE_URL ? ' of DATABASE_URL' : ''} cannot be used`));
  const app = await createApp(database);
  // An orderly stop is a success; without this, Nest would end the process by the signal it was asked to stop with.
  app.enableShutdownHooks([], { useProcessExit: true });
  await app.listen(Number(PORT)).catch(failed(`Cannot listen on port ${PORT}`));
  const { port } = app.getHttpServer().address() as AddressInfo;
  console.log(welcome(`http://localhost:${port}`, home));
}

function failed(what: string): (cause: unknown) => never {
  return cause => {
    throw new Error(`${what}: ${reason(cause)}`, { cause });
  };
}

/** What went wrong, without the stack; several addresses that refuse have no message of their own. */
function reason(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(reason).join('; ');
  return error instanceof Error ? error.message : String(error);
}

main(process.env).catch((error: unknown) => {
  console.error(reason(error));
  process.exit(1);
});
