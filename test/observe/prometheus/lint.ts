import type { Exposition, Family, Histogram } from './exposition.js';

const UNITS = /_(milliseconds|ms|minutes|hours|days|sec|secs|bits|kilobytes|kb|mb|percent)(_|$)/;
const KIND = /_(gauge|counter|histogram|summary)(_|$)/;
/** What only the series of histograms and summaries end with, and what OpenMetrics keeps for itself. */
const RESERVED = /_(count|sum|bucket|created|info)(_total)?$/;
const NAME = /^[a-z_][a-z0-9_]*$/;

/** What `promtool check metrics` would say, and what Prometheus's naming conventions ask for. */
export function lint({ families }: Exposition): string[] {
  const twice = families.filter(({ name }, i) => families.findIndex(other => other.name === name) !== i);
  return [...twice.map(({ name }) => `${name} is there twice`), ...families.flatMap(lintFamily)];
}

function lintFamily({ name, help, type, series, histograms }: Family): string[] {
  const labels = [...series, ...histograms].map(each => each.labels);
  const faults: [boolean, string][] = [
    [!NAME.test(name), 'has a wrong name'],
    [help === '', 'has no help'],
    [!/^[A-Z].*\.$/.test(help), 'has a help that is no sentence'],
    [!['gauge', 'counter', 'histogram'].includes(type), `has the type ${type}`],
    [type === 'counter' && !name.endsWith('_total'), 'is a counter, and does not end with _total'],
    [type !== 'counter' && name.endsWith('_total'), 'ends with _total, and is no counter'],
    [RESERVED.test(name), 'ends with what is reserved'],
    [KIND.test(name), 'has its type in its name'],
    [UNITS.test(name), 'has a unit that is no base unit'],
    [type === 'histogram' && !name.endsWith('_seconds'), 'is a histogram without a unit'],
    [new Set(labels.map(each => JSON.stringify(each))).size !== labels.length, 'has a series twice'],
    [labels.flatMap(Object.keys).some(label => !NAME.test(label)), 'has a wrong name of a label'],
    [series.some(({ value }) => !(value >= 0)), 'has a value that is none'],
    ...histograms.flatMap(faultsOf),
  ];
  return faults.filter(([is]) => is).map(([, what]) => `${name} ${what}`);
}

function faultsOf({ buckets, count, sum }: Histogram): [boolean, string][] {
  const rising = (numbers: number[]): boolean => numbers.every((n, i) => i === 0 || n >= numbers[i - 1]!);
  return [
    [!rising(buckets.map(([bound]) => bound)), 'has bounds in no order'],
    [!rising(buckets.map(([, number]) => number)), 'has buckets that are not cumulative'],
    [buckets.at(-1)?.[0] !== Infinity, 'has no +Inf'],
    [buckets.at(-1)?.[1] !== count, 'has a +Inf that is not its count'],
    [!(sum !== undefined && sum >= 0), 'has no sum'],
  ];
}
