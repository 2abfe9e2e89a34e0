import { describe } from '@jest/globals';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../support/until.js';
import { freePort } from './free-port.js';

/** Milliseconds between two probes of a server. */
export const PROBE_EVERY = 200;

/** Debian has it where only root looks for programs. */
const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin`;

const isThere = spawnSync('haproxy', ['-v'], { env: { PATH } }).status === 0;

/** A `describe` that says so where there is no haproxy, instead of passing. */
export function describeBehindHaproxy(title: string, tests: () => void): void {
  if (isThere) {
    describe(title, tests);
    return;
  }
  const skipped = `${title} (skipped: needs haproxy)`;
  describe.skip(skipped, tests);
  // Jest does not name what it skips.
  process.stderr.write(`${skipped}\n`);
}

const NUMBERS = [
  // Probes that failed, and how often that took the server out.
  'chkfail',
  'chkdown',
  // Seconds since the server was last taken out or in.
  'lastchg',
  'hrsp_2xx',
  'hrsp_3xx',
  'hrsp_4xx',
  'hrsp_5xx',
  // Connections that could not be made, responses that were no good, transfers that the server broke off.
  'econ',
  'eresp',
  'srv_abrt',
  // Requests that were tried again, or given to another server: what would hide a failure.
  'wretr',
  'wredis',
] as const;

/** What haproxy has counted of one server, or for clients. Names as in its documentation, 9.1 "CSV format". */
export type Counters = Readonly<Record<(typeof NUMBERS)[number], number>> & {
  readonly status: string;
  /** How the last probe ended, such as L7OK, L7STS, L4CON. */
  readonly check_status: string;
};

/** A real load balancer in front of servers, which it probes as it would in production, only more often. */
export class Haproxy implements AsyncDisposable {
  private output = '';

  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly url: string,
  ) {
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.output += text));
  }

  /** @param servers their ports by name */
  static async start(servers: Readonly<Record<string, number>>): Promise<Haproxy> {
    const folder = await mkdtemp(join(tmpdir(), 'rollout-'));
    const port = await freePort();
    const file = join(folder, 'haproxy.cfg');
    await writeFile(file, configuration(port, join(folder, 'stats'), servers));
    const child = spawn('haproxy', ['-db', '-f', file], {
      env: { PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const haproxy = new Haproxy(child, folder, `http://127.0.0.1:${port}`);
    try {
      // It takes servers to be up before it has probed them.
      for (const name of Object.keys(servers)) await haproxy.untilProbed(name, 'L7OK');
      return haproxy;
    } catch (cause) {
      await haproxy[Symbol.asyncDispose]();
      throw new Error(`haproxy did not start: ${haproxy.output}`, { cause });
    }
  }

  server(name: string): Promise<Counters> {
    return this.counters('shops', name);
  }

  /** What clients were answered, no matter by whom: a 503 of haproxy itself is among it. */
  frontend(): Promise<Counters> {
    return this.counters('entrance', 'FRONTEND');
  }

  async untilStatus(name: string, status: 'UP' | 'DOWN', within?: number): Promise<void> {
    // While it is about to change its mind it says so: "UP 1/2".
    await until(
      () => this.server(name),
      server => server.status === status,
      within,
    );
  }

  private async untilProbed(name: string, checkStatus: string): Promise<void> {
    await until(
      () => this.server(name).catch(() => undefined),
      server => server?.check_status === checkStatus,
    );
  }

  private async counters(proxy: string, name: string): Promise<Counters> {
    const [names = '', ...lines] = (await this.ask('show stat')).replace(/^# /, '').trim().split('\n');
    const fields = names.split(',');
    for (const line of lines) {
      const values = line.split(',');
      const row = Object.fromEntries(fields.map((field, i) => [field, values[i] ?? '']));
      if (row.pxname !== proxy || row.svname !== name) continue;
      const numbers = NUMBERS.map(field => [field, Number(row[field])]);
      return {
        ...(Object.fromEntries(numbers) as Record<(typeof NUMBERS)[number], number>),
        status: row.status ?? '',
        check_status: (row.check_status ?? '').replace('* ', ''),
      };
    }
    throw new Error(`haproxy knows no ${proxy}/${name}`);
  }

  private async ask(command: string): Promise<string> {
    const socket = connect(join(this.folder, 'stats'));
    socket.setEncoding('utf8').write(`${command}\n`);
    let answer = '';
    for await (const text of socket) answer += text as string;
    return answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const gone = once(this.child, 'close');
      this.child.kill('SIGKILL');
      await gone;
    }
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** No retries and no redispatch: what a server fails to answer is to be seen by the client. */
function configuration(port: number, socket: string, servers: Readonly<Record<string, number>>): string {
  const lines = Object.entries(servers).map(
    ([name, serverPort]) =>
      `  server ${name} 127.0.0.1:${serverPort} check inter ${PROBE_EVERY} fall 2 rise 1`,
  );
  return `
global
  stats socket ${socket} mode 600 level user
  nbthread 1

defaults
  mode http
  retries 0
  no option redispatch
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout check 2s

frontend entrance
  bind 127.0.0.1:${port}
  default_backend shops

backend shops
  balance roundrobin
  option httpchk GET /health/ready
  http-check expect status 200
${lines.join('\n')}
`;
}
