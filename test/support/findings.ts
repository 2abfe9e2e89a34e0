import { inspect } from 'node:util';

/** Collects what is not as it should be. Not `expect`: what is checked after every step has to be quick. */
export class Findings {
  private readonly list: string[] = [];

  add(...findings: readonly string[]): void {
    this.list.push(...findings);
  }

  same(what: string, actual: unknown, wanted: unknown): void {
    if (!Object.is(actual, wanted)) this.add(`${what}: ${inspect(actual)} instead of ${inspect(wanted)}`);
  }

  /** @throws when there is anything to report */
  report(context: unknown): void {
    if (this.list.length > 0) throw new Error([...this.list, inspect(context)].join('\n'));
  }
}
