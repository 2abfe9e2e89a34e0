/** By what the time was told last, among which timers, when that was, and by how much ours is ahead of it. */
let source: { now: () => number } = performance;
let teller: unknown;
let timers: unknown;
let last = 0;
let lead = 0;

/**
 * The monotonic time of the process, in milliseconds. A test may put a time under its own control in the place of the global one,
 * together with the timers, and the real one again: this one goes on from where it was last seen. The timers are looked at
 * as the global `performance` is a getter, which costs as much as the time itself.
 */
export function systemTime(): number {
  if (setTimeout !== timers || source.now !== teller) look();
  return (last = source.now() + lead);
}

function look(): void {
  source = performance;
  if (teller !== undefined) lead = last - source.now();
  teller = source.now;
  timers = setTimeout;
}
