import type { Dispatcher } from 'undici';
import { headerPairs, type Guard } from './call-context.js';

type Given = Dispatcher.DispatchOptions['headers'];
type HeaderValue = string | string[] | undefined;

/** What any server may be told. All others may be secrets, whatever they are called. */
const HARMLESS = new Set(['accept', 'accept-encoding', 'accept-language', 'user-agent']);
/** What is a secret for certain. */
const CREDENTIALS = new Set(['authorization', 'cookie', 'proxy-authorization']);

/** The headers that a session has of its own, and to whom they go. */
export class OwnHeaders {
  private readonly all: Own;
  private readonly harmless: Own;

  constructor(
    headers: Readonly<Record<string, string>>,
    /** The origin of the base URL; undefined without one. */
    private readonly home: string | undefined,
  ) {
    const all = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
    this.all = ownOf(all);
    this.harmless = ownOf(all.filter(([name]) => HARMLESS.has(name)));
  }

  /** Is there one that needs an origin to belong to? */
  get haveCredentials(): boolean {
    return this.all.pairs.some(([name]) => CREDENTIALS.has(name));
  }

  /**
   * The headers of a request over those of its session, and which of them are only for the origin where it begins. One that
   * is given as undefined takes that of the session away.
   */
  under(given: Given, origin: string): { readonly headers: Given; readonly guard: Guard | undefined } {
    // Without a base URL, where a request begins is where its caller wants them to go.
    const own = this.home === undefined || this.home === origin ? this.all : this.harmless;
    if (own.pairs.length === 0) return { headers: given, guard: undefined };
    if (given === undefined || given === null) {
      return { headers: { ...own.headers }, guard: own.secret && { origin, names: own.secret } };
    }
    const pairs = headerPairs(given);
    const names = new Set(pairs.map(([name]) => name.toLowerCase()));
    const headers: Record<string, string | string[]> = {};
    const guarded = new Set<string>();
    for (const [name, value] of own.pairs) {
      if (names.has(name)) continue;
      headers[name] = value;
      if (!HARMLESS.has(name)) guarded.add(name);
    }
    for (const [name, value] of pairs) add(headers, name.toLowerCase(), value);
    return { headers, guard: guarded.size === 0 ? undefined : { origin, names: guarded } };
  }
}

/** Headers, as they are needed for requests that have some of their own, and for those that have none, as most. */
interface Own {
  readonly pairs: readonly (readonly [string, string])[];
  readonly headers: Readonly<Record<string, string>>;
  /** Those that not everybody may be told. */
  readonly secret: ReadonlySet<string> | undefined;
}

function ownOf(pairs: Own['pairs']): Own {
  const secret = new Set(pairs.map(([name]) => name).filter(name => !HARMLESS.has(name)));
  return { pairs, headers: Object.fromEntries(pairs), secret: secret.size > 0 ? secret : undefined };
}

/** Pairs may have a name more than once. */
function add(headers: Record<string, string | string[]>, name: string, value: HeaderValue): void {
  if (value === undefined) return;
  const before = headers[name];
  headers[name] = before === undefined ? value : [before, value].flat();
}
