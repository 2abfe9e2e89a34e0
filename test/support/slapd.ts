import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe } from '@jest/globals';
import { Tethered } from './tethered.js';
import { until } from './until.js';

const SLAPD = '/usr/sbin/slapd';
const SLAPADD = '/usr/sbin/slapadd';

/** As `describe`, where there is OpenLDAP; elsewhere it says that its tests are skipped. */
export function describeWithSlapd(name: string, tests: () => void): void {
  if (existsSync(SLAPD)) {
    describe(name, tests);
    return;
  }
  console.warn('skipped: needs OpenLDAP (Debian: slapd)');
  describe.skip(`${name} (skipped: needs OpenLDAP)`, tests);
}

/** A directory of our own. Only who is bound may read in it. */
export class Slapd {
  static readonly service = { dn: 'cn=service,dc=example', password: 's3cret-of-ldap' };
  static readonly user = { dn: 'cn=ann,dc=example', password: 's3cret-of-ann' };

  private constructor(
    readonly port: number,
    private readonly directory: string,
    private readonly process: Tethered,
  ) {}

  static async start(): Promise<Slapd> {
    const directory = await mkdtemp(join(tmpdir(), 'nestjs-pool-slapd-'));
    const port = randomInt(20_000, 32_000);
    const config = join(directory, 'slapd.conf');
    await mkdir(join(directory, 'db'));
    await writeFile(config, configuration(directory));
    const seeding = spawnSync(SLAPADD, ['-f', config, '-b', 'dc=example'], { input: ENTRIES });
    if (seeding.status !== 0) throw new Error(`slapadd: ${String(seeding.stderr)}`);
    // `-d 0`: in the foreground.
    const server = Tethered.run(SLAPD, ['-d', '0', '-f', config, '-h', `ldap://127.0.0.1:${port}`]);
    await until(
      () => accepts(port),
      ready => ready,
    );
    return new Slapd(port, directory, server);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.process.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const connected = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return connected;
}

function configuration(directory: string): string {
  return `include /etc/ldap/schema/core.schema
modulepath /usr/lib/ldap
moduleload back_ldif
pidfile ${directory}/pid
database ldif
suffix "dc=example"
directory ${directory}/db
rootdn "${Slapd.service.dn}"
rootpw ${Slapd.service.password}
access to attrs=userPassword by anonymous auth by * none
access to * by users read by * none
`;
}

const ENTRIES = `dn: dc=example
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: ${Slapd.user.dn}
objectClass: person
cn: ann
sn: Ann
userPassword: ${Slapd.user.password}
`;
