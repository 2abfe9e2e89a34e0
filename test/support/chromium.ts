import { readFile, readdir } from 'node:fs/promises';
import { describe } from '@jest/globals';
import { chromium, type Browser, type LaunchOptions } from 'playwright-core';
import { CHROMIUM_ARGS, chromiumPath } from '../../examples/renderer/src/chromium.js';

/** How to start the Chromium of these tests, with either library. */
export async function launchOptions(): Promise<LaunchOptions & { executablePath: string; args: string[] }> {
  return { executablePath: await chromiumPath(), args: [...CHROMIUM_ARGS], headless: true };
}

export async function launchChromium(): Promise<Browser> {
  return chromium.launch(await launchOptions());
}

/** Why Chromium does not start here; undefined when it does. */
export async function whyNoChromium(): Promise<string | undefined> {
  try {
    await (await launchChromium()).close();
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** As `describe`, where Chromium can start; elsewhere it says why its tests are skipped. */
export async function describeWithChromium(): Promise<(name: string, tests: () => void) => void> {
  const why = await whyNoChromium();
  if (why === undefined) return describe;
  console.warn(`skipped: needs Chromium, which does not start here (Debian needs libnss3): ${why}`);
  return (name, tests) => describe.skip(`${name} (skipped: needs Chromium)`, tests);
}

interface ProcessStat {
  readonly state: string;
  readonly group: number;
}

async function statOf(pid: number): Promise<ProcessStat | undefined> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'utf8');
    const [state = '', , group] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state, group: Number(group) };
  } catch {
    return undefined;
  }
}

/** The main processes of all browsers that this process has started and that run. */
export async function browserPids(): Promise<number[]> {
  const threads = await readdir(`/proc/${process.pid}/task`);
  const lists = await Promise.all(
    threads.map(thread => readFile(`/proc/${process.pid}/task/${thread}/children`, 'utf8').catch(() => '')),
  );
  const pids = lists.flatMap(list => list.split(' ').map(Number)).filter(pid => pid > 0);
  const run = await Promise.all(
    pids.map(async pid => (await statOf(pid))?.state !== 'Z' && (await isChromium(pid))),
  );
  return pids.filter((_, i) => run[i]);
}

/** How many processes of the browser with this main process run, itself included. */
export async function familySize(main: number): Promise<number> {
  const pids = (await readdir('/proc')).map(Number).filter(pid => pid > 0);
  const stats = await Promise.all(pids.map(statOf));
  return stats.filter(stat => stat?.group === main && stat.state !== 'Z').length;
}

async function isChromium(pid: number): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return command.includes('--headless');
}
