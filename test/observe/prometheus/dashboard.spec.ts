import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { startPostgres, type LocalPostgres } from 'local-postgres';
import { parse } from 'yaml';
import { ShopDatabase } from '../../examples/shop-database.js';
import { ShopProcess } from '../../examples/shop-process.js';
import { get } from '../../support/http-client.js';
import { until } from '../../support/until.js';
import { Exposition, type Labels } from './exposition.js';
import { lint } from './lint.js';
import { parsePromql, type Selector } from './promql.js';

/** What Prometheus itself puts on every series that it scrapes. */
const SCRAPE_LABELS = ['job', 'instance'];

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly datasource?: unknown;
  readonly targets?: readonly {
    readonly expr: string;
    readonly legendFormat: string;
    readonly refId: string;
  }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}
interface Dashboard {
  readonly schemaVersion: number;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { name: string; type: string; definition?: string }[] };
}
interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: Labels;
  readonly annotations: Labels;
}

const read = (name: string): string => readFileSync(`examples/observability/${name}`, 'utf8');
const dashboard = JSON.parse(read('grafana.json')) as Dashboard;
const { groups } = parse(read('alerts.yaml')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap(group => group.rules);
const shown = dashboard.panels.filter(({ type }) => type !== 'row');

/** As Grafana does before it asks: what is chosen in a variable is a pattern. */
const withoutVariables = (expression: string): string =>
  expression.replace(/\$__(rate_interval|interval|range)\b/g, '5m').replace(/\$(job|instance|pool)\b/g, '.+');

const queries = shown.flatMap(({ title, targets = [] }) =>
  targets.map(({ expr, refId }) => [`panel "${title}" ${refId}`, withoutVariables(expr)] as const),
);
const variables = dashboard.templating.list.flatMap(({ name, definition }) => {
  const [, selector] = /^label_values\((.*), \w+\)$/.exec(definition ?? '') ?? [];
  return selector === undefined ? [] : [[`variable ${name}`, withoutVariables(selector)] as const];
});
const alerts = rules.map(({ alert, expr }) => [alert, expr] as const);

let postgres: LocalPostgres;
let shop: ShopProcess;
let seen: Exposition;

// One scrape of the shop with more requests than connections.
beforeAll(async () => {
  postgres = await startPostgres({ database: 'dashboard' });
  shop = await ShopProcess.open({ DATABASE_URL: postgres.url });
  await using database = await ShopDatabase.connect(postgres.url);
  await database.lock();
  const requests = Array.from({ length: 30 }, (_, i) => get(`${shop.url}/orders/${i + 1}`));
  await until(
    () => Exposition.of(shop.url),
    now => now.value('nestjs_pool_pending_requests', { pool: 'orders-db' }) === 20,
  );
  await database.unlock();
  const answers = await Promise.all(requests);
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  seen = await Exposition.of(shop.url);
}, 60_000);

afterAll(async () => {
  await shop[Symbol.asyncDispose]();
  await postgres.close();
});

/** The labels of all series of a metric as an expression names it. */
function exported(metric: string): readonly Labels[] {
  const [, base, suffix] = /^(.*?)(_bucket|_sum|_count)?$/.exec(metric)!;
  const family = seen.family(metric);
  if (family?.type !== 'histogram' && family) return family.series.map(({ labels }) => labels);
  const histograms = suffix ? (seen.family(base!)?.histograms ?? []) : [];
  return histograms.flatMap(({ labels, buckets }) =>
    suffix === '_bucket' ? buckets.map(([bound]) => ({ ...labels, le: String(bound) })) : [labels],
  );
}

function matches(labels: Labels, { label, op, value }: Selector['matchers'][number]): boolean {
  if (SCRAPE_LABELS.includes(label)) return true;
  const is = labels[label] ?? '';
  const same = op.endsWith('~') ? new RegExp(`^(?:${value})$`).test(is) : is === value;
  // A series that has no such label is excluded by nothing: the matcher would do nothing.
  return op.startsWith('!') ? label in labels && !same : same;
}

/** What an expression asks for that the shop does not export. */
function missing(expression: string): string[] {
  const { selectors, grouping } = parsePromql(expression);
  const faults = selectors
    .filter(({ metric, matchers }) => {
      return !exported(metric).some(labels => matchers.every(matcher => matches(labels, matcher)));
    })
    .map(({ metric, matchers }) => `${metric}{${matchers.map(m => m.label + m.op + m.value).join(', ')}}`);
  const labels = selectors.flatMap(({ metric }) => exported(metric).flatMap(Object.keys));
  const unknown = grouping.filter(label => !labels.includes(label) && !SCRAPE_LABELS.includes(label));
  return [...faults, ...unknown.map(label => `by (${label})`)];
}

describe('what the orders example exports', () => {
  it('keeps to what Prometheus asks of metrics', () => {
    const ours = seen.families.filter(({ name }) => name.startsWith('nestjs_pool_'));
    expect(ours.length).toBeGreaterThan(15);
    const text = seen.text.split('\n\n').filter(part => part.includes('nestjs_pool_'));
    expect(lint(new Exposition(`${text.join('\n\n')}\n`))).toEqual([]);
  });
});

describe('the dashboard', () => {
  it.each([...queries, ...variables])('has an expression that can be read: %s', (_where, expression) => {
    expect(parsePromql(expression).errors).toEqual([]);
    expect(parsePromql(expression).selectors).not.toEqual([]);
  });

  it.each([...queries, ...variables])('asks for what is exported: %s', (_where, expression) => {
    expect(missing(expression)).toEqual([]);
  });

  it('lets every panel be narrowed to a job, a pool and an instance', () => {
    for (const { selectors } of queries.map(([, expression]) => parsePromql(expression))) {
      for (const { matchers } of selectors) {
        expect(matchers.map(({ label }) => label)).toEqual(
          expect.arrayContaining(['job', 'pool', 'instance']),
        );
      }
    }
    expect(dashboard.templating.list.map(({ name }) => name)).toEqual([
      'datasource',
      'job',
      'pool',
      'instance',
    ]);
  });

  it('says of every panel what it is about, and shows it beside the others', () => {
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
    for (const { title, description, datasource } of shown) {
      expect([title, description]).toEqual([expect.stringMatching(/./), expect.stringMatching(/\.$/)]);
      expect(datasource).toEqual({ type: 'prometheus', uid: '${datasource}' });
    }
    const overlapping = dashboard.panels.filter(({ gridPos: a, id }) =>
      dashboard.panels.some(
        ({ gridPos: b, id: other }) =>
          id < other && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
      ),
    );
    expect(overlapping).toEqual([]);
  });

  it('names in its legends what it groups by', () => {
    for (const { targets = [] } of shown) {
      for (const { expr, legendFormat } of targets) {
        const { grouping } = parsePromql(withoutVariables(expr));
        const named = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label);
        expect(grouping).toEqual(expect.arrayContaining(named));
      }
    }
  });
});

describe('the alerts', () => {
  it.each(alerts)('have an expression that can be read: %s', (_alert, expression) => {
    expect(parsePromql(expression).errors).toEqual([]);
    expect(parsePromql(expression).selectors).not.toEqual([]);
  });

  it.each(alerts)('ask for what is exported: %s', (_alert, expression) => {
    expect(missing(expression)).toEqual([]);
  });

  it('say how bad it is, for how long it has to be so, and what to do', () => {
    for (const rule of rules) {
      expect(rule).toMatchObject({
        for: expect.stringMatching(/^\d+m$/),
        labels: { severity: expect.stringMatching(/^(critical|warning|info)$/) },
        annotations: {
          summary: expect.stringMatching(/\{\{ \$labels\.pool \}\}.*\.$/),
          description: expect.stringMatching(/^.{100,}\.$/),
        },
      });
    }
  });

  it('name in their texts only labels that they have', () => {
    for (const { expr, annotations } of rules) {
      const { grouping } = parsePromql(expr);
      const named = [
        ...Object.values(annotations)
          .join()
          .matchAll(/\$labels\.(\w+)/g),
      ].map(([, label]) => label);
      expect(grouping).toEqual(expect.arrayContaining(named));
    }
  });

  it('are all in the README beside them', () => {
    const readme = read('README.md');
    for (const { alert, labels } of rules) {
      expect(readme).toMatch(new RegExp(`^\\| \`${alert}\` .*\\| ${labels.severity} +\\|$`, 'm'));
    }
  });
});
