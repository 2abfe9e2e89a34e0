import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ModuleRef } from '@nestjs/core';
import { ModulesContainer } from '@nestjs/core';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import { existsSync, readFileSync } from 'node:fs';
import pg from 'pg';
import type { PoolStats } from '../../src/index.js';
import { DEFAULTS } from '../../src/engine/options/options.js';
import { PoolRegistry } from '../../src/module/registry.js';
import { get } from '../support/http-client.js';
import { schemaErrors } from '../support/kubernetes-schema.js';
import { FILES, kubernetes, parse, read } from './kubernetes-manifests.js';
import { until } from '../support/until.js';
import { ShopProcess } from './shop-process.js';

const { deployment, pod, container, labels, service, budget, autoscaler } = kubernetes;
const { startupProbe, readinessProbe, livenessProbe } = container;
const PROBES = { startupProbe, readinessProbe, livenessProbe };
const ROOT = new URL('../../', import.meta.url);
const rollingUpdate = deployment.spec.strategy!.rollingUpdate!;

/** What README.md leaves for those who are no pod: migrations, psql, monitoring, a backup. */
const OTHERS = 10;
/** Old pods that may be terminating, and still connected, while as many new ones as allowed run. */
const TERMINATING = 1;

/** What the shop's code sets, or the default of the library, in seconds. */
function seconds(setting: string, file: string, byDefault: number): number {
  const code = readFileSync(new URL(`examples/orders/src/${file}`, ROOT), 'utf8');
  const [, value] = new RegExp(`\\b${setting}: ([\\d_]+)`).exec(code) ?? [];
  return (value === undefined ? byDefault : Number(value.replaceAll('_', ''))) / 1_000;
}

describe('the manifests', () => {
  it('are the four that README.md names', () => {
    expect(FILES.sort()).toEqual([
      'deployment.yaml',
      'horizontalpodautoscaler.yaml',
      'poddisruptionbudget.yaml',
      'service.yaml',
    ]);
    for (const file of FILES) expect(read('README.md')).toContain(`(${file})`);
  });

  it.each(FILES)('%s is valid', async file => {
    expect(await schemaErrors(parse(read(file)))).toEqual([]);
  });

  it.each([
    [
      'a field that does not exist',
      'deployment.yaml',
      'minReadySeconds:',
      'minReadySecond:',
      /minReadySecond/,
    ],
    ['one deep down', 'deployment.yaml', 'timeoutSeconds:', 'timeoutSecond:', /timeoutSecond/],
    [
      'a text for a number',
      'deployment.yaml',
      'periodSeconds: 2',
      "periodSeconds: '2'",
      /periodSeconds.*integer/,
    ],
    ['a number for a text', 'deployment.yaml', "value: '3000'", 'value: 3000', /env\/0\/value.*string/],
    ['a fraction', 'service.yaml', 'port: 80', 'port: 80.5', /ports\/0\/port.*integer/],
    ['a required field missing', 'horizontalpodautoscaler.yaml', 'maxReplicas: 6', '', /maxReplicas/],
    [
      'a field of another place',
      'poddisruptionbudget.yaml',
      'selector:',
      'replicas: 1\n  selector:',
      /replicas/,
    ],
    ['a version that does not exist', 'service.yaml', 'kind: Service', 'kind: Servise', /no Servise/],
  ])('would be refused with %s', async (_what, file, right, wrong, finding) => {
    const text = read(file);
    expect(text).toContain(right);
    expect((await schemaErrors(parse(text.replace(right, wrong)))).join('\n')).toMatch(finding);
  });

  it('select the pods that the deployment makes, and the autoscaler that deployment', () => {
    expect(Object.keys(labels)).not.toHaveLength(0);
    expect(labels).toMatchObject(deployment.spec.selector.matchLabels!);
    expect(labels).toMatchObject(service.spec.selector!);
    expect(labels).toMatchObject(budget.spec.selector!.matchLabels!);
    for (const { labelSelector } of pod.topologySpreadConstraints!)
      expect(labels).toMatchObject(labelSelector!.matchLabels!);
    expect(autoscaler.spec.scaleTargetRef).toEqual({
      apiVersion: deployment.apiVersion,
      kind: deployment.kind,
      name: deployment.metadata.name,
    });
    // Two who decide about it would undo each other's work.
    expect(deployment.spec).not.toHaveProperty('replicas');
  });

  it('let one pod go at a time, also when there are as few as there may be', () => {
    const { minAvailable, maxUnavailable } = budget.spec;
    const { minReplicas, maxReplicas } = autoscaler.spec;
    expect(minAvailable).toBeUndefined();
    expect(maxUnavailable).toBeGreaterThanOrEqual(1);
    expect(maxUnavailable).toBeLessThan(minReplicas!);
    expect(minReplicas).toBeLessThanOrEqual(maxReplicas);
    expect(rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
  });

  it('keep the address of the database in a secret, and have no rights that the shop does not need', () => {
    const [database] = container.env!.filter(({ name }) => name === 'DATABASE_URL');
    expect(database).toEqual({
      name: 'DATABASE_URL',
      valueFrom: { secretKeyRef: { name: 'orders-database', key: 'url' } },
    });
    for (const file of FILES) expect(read(file)).not.toMatch(/postgres(ql)?:\/\//);
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true });
    expect(pod.securityContext!.runAsUser).toBeGreaterThan(0);
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
  });

  it('leave room beside the heap within the memory limit', () => {
    const { requests, limits } = container.resources as Record<'requests' | 'limits', Record<string, string>>;
    const [, megabytes] = /^(\d+)Mi$/.exec(limits.memory!) ?? [];
    const options = container.env!.find(({ name }) => name === 'NODE_OPTIONS')!.value;
    const [, heap] = /^--max-old-space-size=(\d+)$/.exec(options!) ?? [];
    expect(Number(heap)).toBeGreaterThanOrEqual(128);
    expect(Number(heap) / Number(megabytes)).toBeLessThanOrEqual(0.75);
    expect(requests.memory).toBe(limits.memory);
  });
});

describe('the probes', () => {
  it.each(Object.entries(PROBES))(
    '%s does not ask again before its last question has ended',
    (_name, probe) => {
      expect(probe!.timeoutSeconds).toBeLessThan(probe!.periodSeconds!);
      expect(probe!.failureThreshold).toBeGreaterThan(1);
    },
  );

  it('give an idle pool the time to try its backend (probeTimeout), and a start the time to give up', () => {
    const probeTimeout = 1;
    expect(readinessProbe!.timeoutSeconds).toBeGreaterThan(probeTimeout);
    // The connection that prepares the tables, and then the pool's startTimeout.
    const connect = seconds('connectionTimeoutMillis', 'database/prepare-database.ts', NaN);
    const startTimeout = seconds('startTimeout', 'database/database.module.ts', 10_000);
    const { periodSeconds, failureThreshold } = startupProbe!;
    const budget = periodSeconds! * failureThreshold!;
    expect(budget).toBeGreaterThan(connect + startTimeout);
    expect(deployment.spec.progressDeadlineSeconds).toBeGreaterThan(
      budget + deployment.spec.minReadySeconds!,
    );
  });

  it('restart a pod later than they take it out', () => {
    const patience = ({ periodSeconds, failureThreshold }: NonNullable<typeof livenessProbe>): number =>
      periodSeconds! * failureThreshold!;
    expect(patience(livenessProbe!)).toBeGreaterThan(patience(readinessProbe!));
  });
});

describe('the time to stop', () => {
  const preStop = container.lifecycle!.preStop!.sleep!.seconds;
  const own = [
    preStop,
    seconds('gracefulShutdownTimeoutMs', 'ops/ops.module.ts', 0),
    seconds('shutdownTimeout', 'database/database.module.ts', libraryShutdownTimeout()),
    seconds('destroyTimeout', 'database/database.module.ts', DEFAULTS.destroyTimeout),
  ];
  const needed = own.reduce((sum, each) => sum + each, 0);
  const given = pod.terminationGracePeriodSeconds!;

  it('is enough for all that the shop may do in it, and a margin', () => {
    expect(own.every(each => each > 0)).toBe(true);
    expect(given).toBeGreaterThanOrEqual(needed + 5);
    expect(read('README.md')).toContain(`${own.join(' + ')} + ${given - needed} = ${given}`);
  });

  it('has passed before the next pod is replaced or taken away', () => {
    expect(deployment.spec.minReadySeconds).toBeGreaterThanOrEqual(given);
    const { policies } = autoscaler.spec.behavior!.scaleDown!;
    expect(policies).toHaveLength(1);
    expect(policies![0]).toMatchObject({ type: 'Pods', value: 1 });
    expect(policies![0]!.periodSeconds).toBeGreaterThanOrEqual(given);
  });

  function libraryShutdownTimeout(): number {
    return new PoolRegistry(new ModulesContainer(), {} as ModuleRef).shutdownTimeout;
  }
});

describe('the shop, run as the manifests run it', () => {
  let postgres: LocalPostgres;
  let shop: ShopProcess;

  beforeAll(async () => {
    postgres = await startPostgres({ database: 'shop' });
    const literal = container.env!.flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]));
    // Its port may be taken on this machine.
    shop = await ShopProcess.open({
      ...(Object.fromEntries(literal) as NodeJS.ProcessEnv),
      DATABASE_URL: postgres.url,
      PORT: '0',
    });
  });

  afterAll(async () => {
    await shop[Symbol.asyncDispose]();
    await postgres.close();
  });

  it('is started by a command that exists', () => {
    const [node, main] = container.command!;
    expect(node).toBe('node');
    expect(existsSync(new URL(main!, ROOT))).toBe(true);
  });

  it.each(Object.entries(PROBES))('answers the %s with 200', async (_name, probe) => {
    expect(await get(shop.url + probe!.httpGet!.path!)).toMatchObject({ status: 200 });
  });

  it('listens where probes and service go', () => {
    const [port] = container.ports!;
    expect(container.env!.find(({ name }) => name === 'PORT')!.value).toBe(String(port!.containerPort));
    for (const probe of Object.values(PROBES)) expect(probe!.httpGet!.port).toBe(port!.name);
    expect(service.spec.ports![0]!.targetPort).toBe(port!.name);
  });

  it('has its connections in each pod, as many pods as there may be, with those of others', async () => {
    const [{ max }] = JSON.parse((await get(`${shop.url}/pools`)).body) as [PoolStats];
    const client = new pg.Client(postgres.url);
    await client.connect();
    // What PostgreSQL has when nobody sets anything.
    const { rows } = await client.query<{ name: string; value: number }>(
      `select name, boot_val::int as value from pg_settings
       where name in ('max_connections', 'reserved_connections', 'superuser_reserved_connections')`,
    );
    await client.end();
    const server = Object.fromEntries(rows.map(({ name, value }) => [name, value]));
    const available =
      server.max_connections! - server.superuser_reserved_connections! - (server.reserved_connections ?? 0);
    const { maxReplicas } = autoscaler.spec;
    const surge = Number(rollingUpdate.maxSurge);
    const wanted = (maxReplicas + surge + TERMINATING) * max + OTHERS;
    expect(wanted).toBeLessThanOrEqual(available);
    expect(read('README.md')).toContain(
      `(${maxReplicas} + ${surge} + ${TERMINATING}) × ${max} + ${OTHERS} = ${wanted} ≤ ${available}`,
    );
  });

  it('without its database is taken out, and not restarted', async () => {
    const status = async (probe: typeof readinessProbe): Promise<number> =>
      (await get(shop.url + probe!.httpGet!.path!)).status;
    await postgres.stop();
    await until(
      () => status(readinessProbe),
      seen => seen === 503,
    );
    expect(await status(livenessProbe)).toBe(200);
    await postgres.start();
    await until(
      () => status(readinessProbe),
      seen => seen === 200,
    );
  });
});
