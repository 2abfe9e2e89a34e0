/** Calls in a second, and in a second of CPU time of this process, with so many callers that each call again when answered. */
export async function rate(call, callers, ms) {
  const start = performance.now();
  const cpu = process.cpuUsage();
  const end = start + ms;
  let calls = 0;
  const caller = async () => {
    while (performance.now() < end) {
      await call();
      calls++;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: (calls / (performance.now() - start)) * 1_000,
    perCpuSecond: (calls / (user + system)) * 1e6,
  };
}
