export function many(count: number, one: string, more: string): string {
  return `${count} ${count === 1 ? one : more}`;
}

export function duration(ms: number): string {
  if (ms < 1) return 'less than 1 ms';
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1_000).toFixed(1)} s`;
  const s = Math.round(ms / 1_000);
  if (s < 120) return `${s} s`;
  const minutes = Math.floor(s / 60);
  return minutes < 120 ? `${minutes} min ${s % 60} s` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}
