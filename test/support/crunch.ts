import { fileURLToPath } from 'node:url';
import { join } from 'node:path';

/** The tasks of fixtures/crunch.mjs. */
export interface Crunch {
  add(payload: { a: number; b: number }): number;
  later(payload: { a: number; b: number }): Promise<number>;
  echo(value: unknown): unknown;
  who(): number;
  data(): unknown;
  env(name: string): string | undefined;
  count(): number;
  size(bytes: Uint8Array): number;
  forge(): string;
  give(length: number): { bytes: Uint8Array };
  giveLate(name: string): Promise<{ bytes: Uint8Array }>;
  left(): number;
  fail(payload: { message: string }): never;
  failLater(text: unknown): Promise<never>;
  failOddly(): never;
  failInCircles(): never;
  unclonable(): unknown;
  wait(): Promise<never>;
  reason(): string | undefined;
  stubborn(name: string): Promise<string>;
  open(name: string): undefined;
  openIn(payload: { name: string; ms: number }): undefined;
  spin(): never;
  spinInBackground(): undefined;
  exit(code: number): never;
  endSoon(): undefined;
  throwInTimer(): Promise<never>;
  rejectUnhandled(): Promise<never>;
  exhaust(): never;
  fill(megabytes: number): undefined;
  print(text: string): undefined;
}

/** A file beside the tests of resources; a test is in another folder. */
export function fixture(name: string): string {
  return join(fileURLToPath(new URL('../resources/fixtures', import.meta.url)), name);
}
