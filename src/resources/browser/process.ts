import { readFile } from 'node:fs/promises';

/** Milliseconds between two looks at a process that is to end. */
const LOOK_EVERY = 10;
const KIB_PER_MIB = 1024;

/** The processes of one browser on this machine. */
export interface BrowserProcess {
  readonly pid: number;
  /** What all processes of the browser take, in MiB; undefined where the system does not tell. */
  memoryMb(): Promise<number | undefined>;
  /** Ends whatever is left of it. Resolves when it has ended, or past so many milliseconds. */
  kill(patience: number): Promise<void>;
}

/**
 * Looks for the browser on this machine.
 *
 * @param killPlainly ends it where the system has no /proc
 * @returns undefined where the pid is not that of a process that this one has started: the browser may run elsewhere
 */
export async function findProcess(
  pid: number,
  killPlainly: (() => unknown) | undefined,
): Promise<BrowserProcess | undefined> {
  const stat = await readStat(pid);
  if (stat && (await isOurs(stat))) return new LinuxProcess(pid, stat.startedAt, stat.group === pid);
  return killPlainly && !stat ? new PlainProcess(pid, killPlainly) : undefined;
}

class LinuxProcess implements BrowserProcess {
  constructor(
    readonly pid: number,
    /** Tells it from a later process with the same number. */
    private readonly startedAt: string,
    /** Do all its processes have a group of their own? */
    private readonly leads: boolean,
  ) {}

  async memoryMb(): Promise<number | undefined> {
    const family = [this.pid, ...(await descendants(this.pid))];
    const kib = await Promise.all(family.map(memoryOf));
    const known = kib.filter(size => size !== undefined);
    return known.length > 0 ? known.reduce((sum, size) => sum + size, 0) / KIB_PER_MIB : undefined;
  }

  async kill(patience: number): Promise<void> {
    const stat = await readStat(this.pid);
    // The number may belong to another process by now. Without one, it can still be that of a group that is left over.
    if (stat && stat.startedAt !== this.startedAt) return;
    const family = [this.pid, ...(await descendants(this.pid))];
    if (this.leads) send(-this.pid);
    else family.forEach(send);
    const until = performance.now() + patience;
    while ((await someRun(family)) && performance.now() < until) {
      await new Promise(resolve => setTimeout(resolve, LOOK_EVERY));
    }
  }
}

class PlainProcess implements BrowserProcess {
  constructor(
    readonly pid: number,
    private readonly end: () => unknown,
  ) {}

  memoryMb(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  kill(): Promise<void> {
    this.end();
    return Promise.resolve();
  }
}

interface Stat {
  readonly state: string;
  readonly parent: number;
  readonly group: number;
  readonly startedAt: string;
}

/** See proc_pid_stat(5). */
async function readStat(pid: number): Promise<Stat | undefined> {
  const text = await read(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // What comes before is its name, which may contain anything.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state = '', parent, group] = fields;
  return { state, parent: Number(parent), group: Number(group), startedAt: fields[19] ?? '' };
}

async function isOurs(stat: Stat): Promise<boolean> {
  let { parent } = stat;
  while (parent > 1 && parent !== process.pid) parent = (await readStat(parent))?.parent ?? 0;
  return parent === process.pid;
}

async function someRun(pids: readonly number[]): Promise<boolean> {
  const stats = await Promise.all(pids.map(readStat));
  return stats.some(stat => stat !== undefined && stat.state !== 'Z');
}

async function descendants(pid: number): Promise<number[]> {
  const children = ((await read(`/proc/${pid}/task/${pid}/children`)) ?? '')
    .split(' ')
    .map(Number)
    .filter(child => child > 0);
  const deeper = await Promise.all(children.map(descendants));
  return [...children, ...deeper.flat()];
}

/** KiB; what several processes share counts as a part in each. */
async function memoryOf(pid: number): Promise<number | undefined> {
  const rollup = await read(`/proc/${pid}/smaps_rollup`);
  const [, size] = /^Pss:\s+(\d+)/m.exec(rollup ?? '') ?? [];
  return size === undefined ? undefined : Number(size);
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

function send(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended.
  }
}
