import type { AbandonedError } from '../../src/scope/index.js';
import type { Guest } from './guest.js';
import { kindsThat, type Kind } from './kinds.js';
import type { Wrongs } from './wrongs.js';

/** What a scope is called, and what it says when it destroys what nobody can watch: `GET /streams/gzip: the client …`. */
const SAID = /^(?:[A-Z]+ \/\S*?([a-z-]+)|\w+\.(\w+)\(\)): the client has left/;
/** The method of a message has its name. */
const kindOf = (method = ''): string => method.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);

/** Is it of a kind of request that may cost its connection? */
export function mayAbandon(message: string): boolean {
  const [, path, method] = SAID.exec(message) ?? [];
  return kindsThat('unwatched').includes((path ?? kindOf(method)) as Kind);
}

/** Connections that were destroyed since code may have gone on using them. There has to be a reason for each. */
export class Abandonments {
  private readonly all: { readonly error: AbandonedError; readonly guest: Guest | undefined }[] = [];

  constructor(private readonly wrongs: Wrongs) {}

  get count(): number {
    return this.all.length;
  }

  /** @param guest who has used the connection, if anybody has */
  add(error: AbandonedError, guest: Guest | undefined): void {
    this.all.push({ error, guest });
    if (!mayAbandon(error.message))
      this.wrongs.add('destroyed although all of it can be watched', error.message);
  }

  /** @param whole requests that were answered well, to the end, with a client that stayed */
  check(whole: ReadonlySet<Guest>): void {
    for (const { guest } of this.all) {
      if (guest && whole.has(guest)) this.wrongs.add('destroyed although it was answered well', guest);
    }
    this.all.length = 0;
  }
}
