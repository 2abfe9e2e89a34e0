type Effect = (trace: Trace, args: readonly unknown[]) => void;

const touches: Effect = trace => {
  trace.touched = true;
};
const spoils: Effect = trace => {
  trace.spoilt = true;
};
const blocks: Effect = trace => {
  trace.blocking = true;
};
const blocksIfTold: Effect = (trace, args) => {
  trace.blocking ||= args.some(arg => word(arg) === 'block');
};

/** They tell, or do something to others. */
const HARMLESS_OF_CLIENT: ReadonlySet<string> = new Set([
  ...['id', 'info', 'list', 'getname', 'getredir', 'trackinginfo', 'help'],
  ...['kill', 'pause', 'unpause', 'unblock'],
]);

/** RESET undoes it. Not so NO-EVICT, up to Redis 7.0, and nobody knows what comes. */
const TOUCHES_OF_CLIENT: ReadonlySet<string> = new Set(['setname', 'tracking', 'caching']);

/** What commands do to their session. Those that are not here leave it as it was, and so do scripts. */
const EFFECTS: ReadonlyMap<string, Effect> = new Map<string, Effect>([
  ['select', trace => (trace.touched = trace.selected = true)],
  ...each(['auth', 'readonly', 'readwrite', 'asking', 'reset'], touches),
  ['client', (trace, [sub]) => ofClient(trace, word(sub))],
  // What the library believes of the connection is not true any more, or nothing undoes it.
  ...each(['monitor', 'sync', 'psync', 'replconf', 'quit', 'hello'], spoils),
  ['script', (trace, [sub]) => word(sub) === 'debug' && spoils(trace, [])],
  ['himport', (trace, [sub]) => word(sub) !== 'set' && spoils(trace, [])],
  ...each(['blpop', 'brpop', 'brpoplpush', 'blmove', 'blmpop', 'bzpopmin', 'bzpopmax', 'bzmpop'], blocks),
  ...each(['wait', 'waitaof'], blocks),
  ...each(['xread', 'xreadgroup'], blocksIfTold),
  ['watch', trace => (trace.watching ||= !trace.inTransaction)],
  ['unwatch', trace => (trace.watching &&= trace.inTransaction)],
  ['multi', trace => (trace.inTransaction = true)],
  ['exec', (trace, args) => endsTransaction(trace, args)],
  ['discard', (trace, args) => endsTransaction(trace, args)],
]);

/**
 * What the commands that a borrower has sent have made of the session, by their names.
 *
 * A command that fails may be taken for one that has worked, never the other way round.
 */
export class Trace {
  /** Only RESET makes it what it was. */
  touched = false;
  /** Another database, among other things. */
  selected = false;
  /** Nothing does. */
  spoilt = false;
  /** Keys are watched. */
  watching = false;
  /** MULTI was sent, and neither EXEC nor DISCARD. */
  inTransaction = false;
  /** A command was sent that waits at the server for something to happen. */
  blocking = false;

  note(name: string, args: readonly unknown[]): void {
    EFFECTS.get(name.toLowerCase())?.(this, args);
  }

  /** RESET undoes all of it but what spoils. */
  clear(): void {
    this.touched = this.selected = this.watching = this.inTransaction = this.blocking = false;
  }
}

function ofClient(trace: Trace, sub: string): void {
  if (TOUCHES_OF_CLIENT.has(sub)) trace.touched = true;
  else trace.spoilt ||= !HARMLESS_OF_CLIENT.has(sub);
}

/** Whatever the server answers, transaction and watches are over; but not if it does not take it for the command. */
function endsTransaction(trace: Trace, { length }: readonly unknown[]): void {
  if (trace.inTransaction && length === 0) trace.inTransaction = trace.watching = false;
}

function each(names: readonly string[], effect: Effect): [string, Effect][] {
  return names.map(name => [name, effect]);
}

function word(arg: unknown): string {
  return typeof arg === 'string' || Buffer.isBuffer(arg) ? arg.toString().toLowerCase() : '';
}
