/** Nothing else runs in this process for so many milliseconds, as with a large JSON. Other processes go on. */
export function blockTheLoop(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** What has been asked for by now has left the process. */
export function sent(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve));
}
