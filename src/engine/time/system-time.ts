/** By what the time was told last, when that was, and by how much ours is ahead of it. */
let teller: unknown;
let last = 0;
let lead = 0;

/**
 * The monotonic time of the process, in milliseconds. The global is asked for each time, as a test may put a time under its own
 * control in its place, at any moment, and the real one again: this one goes on from where it was last seen.
 */
export function systemTime(): number {
  const timer = performance as { now: () => number };
  if (timer.now !== teller) {
    if (teller !== undefined) lead = last - timer.now();
    teller = timer.now;
  }
  return (last = timer.now() + lead);
}
