import { median, quartiles } from './statistics.mjs';

/** What has been measured of one workload: by table and contender, the samples of each process. */
export class Results {
  /** @param others what was measured before, by the name of the workload */
  constructor(workload, processes, others) {
    this.workload = workload;
    this.processes = processes;
    this.others = others;
  }

  /** What was measured of another workload, in this run. */
  of(name) {
    const results = this.others.get(name);
    if (!results) throw new NotMeasured(name);
    return results;
  }

  names(table) {
    return [...new Set(this.processes.flatMap(one => Object.keys(one[table] ?? {})))];
  }

  /** Undefined where it has not been measured, e.g. as it took too long. */
  value(table, name) {
    const medians = this.#medians(table, name);
    return medians.length === 0 ? undefined : median(medians);
  }

  spread(table, name) {
    return quartiles(this.processes.flatMap(one => one[table]?.[name] ?? []));
  }

  /** Of two that were measured in turns: the median over the processes of the ratio within a process, where there is one. */
  ratio(table, name, to) {
    const both = this.processes.filter(one => one[table]?.[name]?.length && one[table]?.[to]?.length);
    if (both.length === 0) return this.value(table, name) / this.value(table, to);
    return median(both.map(one => median(one[table][name]) / median(one[table][to])));
  }

  /** Which of these has the smallest value. */
  least(table, names) {
    const measured = names.filter(name => this.value(table, name) !== undefined);
    return measured.sort((a, b) => this.value(table, a) - this.value(table, b))[0];
  }

  targets() {
    try {
      return this.workload.targets(this).map(({ text, most, least, is }) => ({
        text,
        limit: most === undefined ? `≥ ${least}` : `≤ ${most}`,
        is,
        holds: most === undefined ? is >= least : is <= most,
      }));
    } catch (error) {
      if (error instanceof NotMeasured) return [];
      throw error;
    }
  }

  #medians(table, name) {
    return this.processes
      .map(one => one[table]?.[name] ?? [])
      .filter(samples => samples.length > 0)
      .map(median);
  }
}

class NotMeasured extends Error {}
