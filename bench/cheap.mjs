// When do cheap pools pay? Each beside plain allocation, in turns in one process: `npm run build && node bench/cheap.mjs`.
// docs/cheap-pools.md says what follows from it.
//
// A ratio of 2 says that the pool took half of the CPU time of the process, which includes the threads that collect
// garbage, and not what else the machine does. A pool wins when three quarters of the rounds say more than 1.1, and loses when
// three quarters say less than 0.9.
import { Buffer } from 'node:buffer';
import { availableParallelism, cpus } from 'node:os';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BufferPool, FreeList, Interner, memo } from '../dist/lib/cheap.js';
import { median, quartiles } from './statistics.mjs';

const MB = 2 ** 20;
const ROUNDS = Number(process.env.ROUNDS ?? 7);
/** Long enough that garbage is collected in it, and is paid by who made it. */
const ROUND_MS = Number(process.env.ROUND_MS ?? 40);

/** Where results go, so that nothing is left out by the compiler; nor is an object that could be seen here. */
let sink = 0;
const seen = new Array(8).fill(undefined);

/** Objects that live on, as in an application: what is allocated has to be looked at beside them. */
const live = Array.from({ length: 200_000 }, (_, i) => ({ i, text: `number ${i}` }));

/** @type {{ group: string, name: string, plain: (n: number) => void, pooled: (n: number) => void }[]} */
const comparisons = [
  ...smallObjects(),
  ...freeLists(),
  ...buffers('BufferPool, zeroed, beside Buffer.alloc', { zero: true }, size => Buffer.alloc(size)),
  ...buffers('BufferPool, not zeroed, beside Buffer.allocUnsafeSlow', { zero: false }, size =>
    Buffer.allocUnsafeSlow(size),
  ),
  ...buffers(
    'BufferPool, not zeroed, beside Buffer.allocUnsafe, which shares what is smaller than 4 KB',
    { zero: false },
    size => Buffer.allocUnsafe(size),
    [64, 1_024, 2_048],
  ),
  ...interners(),
  ...memos(),
];

const [cpu] = cpus();
console.log(
  `Node.js ${process.version}, V8 ${process.versions.v8}, ${process.platform} ${process.arch}, ` +
    `${availableParallelism()} cores of ${cpu?.model.trim()}; ${ROUNDS} rounds of ${ROUND_MS} ms each, in turns.`,
);
memoryOfTexts();
const groups = new Set(comparisons.map(({ group }) => group));
for (const group of groups) {
  console.log(`\n### ${group}\n`);
  console.log(
    '| what | plain, ns | pooled, ns | ratio | quartiles | |\n| --- | ---: | ---: | ---: | --- | --- |',
  );
  const found = { wins: [], loses: [], 'no difference': [] };
  for (const comparison of comparisons.filter(each => each.group === group)) {
    found[report(comparison.name, measure(comparison))].push(comparison.name);
  }
  for (const [verdict, names] of Object.entries(found)) {
    if (names.length > 0) console.log(`\n${verdict}: ${names.join('; ')}.`);
  }
}
// Nothing of what was measured may be left out.
if (sink === 0.5 || seen.length + live.length === 0) console.log(sink);

function measure({ plain, pooled }) {
  const sides = [plain, pooled].map(run => ({ run, n: calibrate(run), ns: [] }));
  for (let round = 0; round < ROUNDS; round++) {
    // Neither is always the first.
    for (const side of round % 2 ? sides : [...sides].reverse())
      side.ns.push(timed(side.run, side.n) / side.n);
  }
  return sides.map(({ ns }) => ns);
}

function timed(run, n) {
  const before = process.cpuUsage();
  run(n);
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1_000;
}

/** How many fit into a round; warms up on the way. */
function calibrate(run) {
  let n = 1;
  for (;;) {
    const ns = timed(run, n);
    if (ns >= ROUND_MS * 1e6) return n;
    n = Math.ceil(n * Math.min(10, Math.max(1.2, (ROUND_MS * 1.1e6) / Math.max(ns, 1))));
  }
}

function report(name, [plain, pooled]) {
  const ratios = plain.map((ns, i) => ns / pooled[i]);
  const ratio = median(ratios);
  const [low, high] = quartiles(ratios);
  const verdict = low > 1.1 ? 'wins' : high < 0.9 ? 'loses' : 'no difference';
  const cells = [
    nanoseconds(plain),
    nanoseconds(pooled),
    ratio.toFixed(2),
    `${low.toFixed(2)} to ${high.toFixed(2)}`,
  ];
  console.log(`| ${name} | ${cells.join(' | ')} | ${verdict} |`);
  return verdict;
}

function nanoseconds(values) {
  const ns = median(values);
  return ns < 100 ? ns.toFixed(1) : Math.round(ns).toLocaleString('en');
}

/** The cases in which a free list is worst, each with code of its own, so that V8 can do its best. */
function smallObjects() {
  const reset = o => void (o.x = o.y = o.z = 0);
  const options = { create: () => ({ x: 1, y: 2, z: 3 }), reset, max: 64, debug: false };
  const [forOne, forMany] = [new FreeList(options), new FreeList(options)];
  const batch = new Array(64).fill(undefined);
  const group = 'FreeList, small objects';
  return [
    {
      group,
      name: '3 fields, never seen outside of the function',
      plain: n => {
        for (let i = 0; i < n; i++) {
          const item = { x: 1, y: 2, z: i };
          sink += item.x + item.z;
        }
      },
      pooled: n => {
        for (let i = 0; i < n; i++) {
          const item = forOne.take();
          item.z = i;
          sink += item.x + item.z;
          forOne.give(item);
        }
      },
    },
    {
      group,
      name: '3 fields, 64 in use at once',
      plain: n => {
        for (let i = 0; i < n; i += 64) {
          for (let k = 0; k < 64; k++) batch[k] = { x: 1, y: 2, z: k };
          for (let k = 0; k < 64; k++) sink += batch[k].z;
        }
      },
      pooled: n => {
        for (let i = 0; i < n; i += 64) {
          for (let k = 0; k < 64; k++) (batch[k] = forMany.take()).z = k;
          for (let k = 0; k < 64; k++) {
            sink += batch[k].z;
            forMany.give(batch[k]);
          }
        }
      },
    },
  ];
}

function freeLists() {
  const items = [
    {
      name: '3 fields',
      create: () => ({ x: 1, y: 2, z: 3 }),
      reset: o => void (o.x = o.y = o.z = 0),
      use: o => o.x,
    },
    ...[32, 128, 512, 4_096, 65_536].map(length => ({
      name: `array of ${length} numbers (${size(length * 8)})`,
      create: () => ({ values: new Array(length).fill(0) }),
      reset: o => void o.values.fill(0),
      use: o => (o.values[length - 1] += 1),
    })),
    {
      name: 'array of 128 numbers (1 KB), no reset',
      create: () => ({ values: new Array(128).fill(0) }),
      use: o => (o.values[127] += 1),
    },
    ...[128, 8_192, 131_072].map(length => ({
      name: `Float64Array(${length}) (${size(length * 8)})`,
      create: () => new Float64Array(length),
      reset: array => void array.fill(0),
      use: array => (array[length - 1] += 1),
    })),
    ...[100, 1_000, 10_000].map(steps => ({
      name: `3 fields, computed in ${steps} steps`,
      create: () => ({ x: work(steps), y: 2, z: 3 }),
      use: o => o.x,
    })),
  ];
  return items
    .flatMap(({ name, create, reset, use }) =>
      (/^(3 fields|array of 512 .*|Float64Array.8192. .*)$/.test(name) ? [false, true] : [false]).map(
        debug => {
          const list = new FreeList({ create, ...(reset && { reset }), max: 16, debug });
          return {
            group: `FreeList, ${debug ? 'in development (debug)' : 'in production'}`,
            name,
            plain: n => {
              for (let i = 0; i < n; i++) sink += use((seen[i & 7] = create()));
            },
            pooled: n => {
              for (let i = 0; i < n; i++) {
                const item = (seen[i & 7] = list.take());
                sink += use(item);
                list.give(item);
              }
            },
          };
        },
      ),
    )
    .sort((a, b) => (a.group < b.group ? 1 : a.group > b.group ? -1 : 0));
}

function buffers(group, { zero }, allocate, sizes = [1_024, 4_096, 16_384, 65_536, 262_144, MB, 8 * MB]) {
  return sizes.flatMap(bytes =>
    // Who writes all of it pays for the pages, too, where memory is fresh.
    [false, true].map(fills => {
      const pool = new BufferPool({ minSize: 64, maxSize: 8 * MB, maxBytes: 16 * MB, zero, debug: false });
      const use = fills ? buffer => buffer.fill(1)[bytes - 1] : buffer => (buffer[bytes - 1] = 1);
      return {
        group,
        name: `${size(bytes)}, ${fills ? 'all of it written' : 'one byte written'}`,
        plain: n => {
          for (let i = 0; i < n; i++) sink += use(allocate(bytes));
        },
        pooled: n => {
          for (let i = 0; i < n; i++) {
            const lent = pool.take(bytes);
            sink += use(lent.buffer);
            lent.release();
          }
        },
      };
    }),
  );
}

/** Texts that come as bytes, as from a database. What is saved is memory, what is paid is time. */
function interners() {
  return [10, 40, 400].map(length => {
    const texts = Array.from({ length: 100 }, (_, i) => Buffer.from(`${i} `.padEnd(length, 'x')));
    const interner = new Interner({ max: 200 });
    return {
      group: 'Interner, beside texts that are kept as they come',
      name: `100 texts of ${length} characters`,
      plain: n => {
        for (let i = 0; i < n; i++) sink += texts[i % 100].toString('latin1').length;
      },
      pooled: n => {
        for (let i = 0; i < n; i++) sink += interner.intern(texts[i % 100].toString('latin1')).length;
      },
    };
  });
}

function memoryOfTexts() {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc');
  console.log('\n### Interner: memory of 200,000 texts, of which 100 are different\n');
  console.log('| length | kept as they come, MB | interned, MB |\n| ---: | ---: | ---: |');
  for (const length of [10, 40, 400]) {
    const texts = Array.from({ length: 100 }, (_, i) => Buffer.from(`${i} `.padEnd(length, 'x')));
    const interner = new Interner({ max: 200 });
    collect();
    const megabytes = [text => text, text => interner.intern(text)].map(keep => {
      collect();
      collect();
      const before = process.memoryUsage().heapUsed;
      const kept = Array.from({ length: 200_000 }, (_, i) => keep(texts[i % 100].toString('latin1')));
      collect();
      sink += kept.length;
      return ((process.memoryUsage().heapUsed - before) / MB).toFixed(1);
    });
    console.log(`| ${length} | ${megabytes.join(' | ')} |`);
  }
}

function memos() {
  const short = i => `^item-${i}$`;
  const long = i => Array.from({ length: 40 }, (_, k) => `(?:name${i}-${k}[a-z]+\\d{2,4})`).join('|');
  const compile = source => new RegExp(source, 'u');
  // V8 keeps what it has compiled lately, and so it matters how many there are.
  const patterns = [
    ['short RegExp', short, 'item-1'],
    ['long RegExp', long, 'none of these'],
  ].flatMap(([name, source, subject]) =>
    [1, 100, 1_000].map(different => {
      const sources = Array.from({ length: different }, (_, i) => source(i));
      return {
        name: `${name}, ${different} different`,
        sources,
        create: compile,
        use: p => Number(p.test(subject)),
      };
    }),
  );
  const functions = [0, 100, 1_000, 10_000].map(steps => ({
    name: `a result computed in ${steps} steps, 100 different`,
    sources: Array.from({ length: 100 }, (_, i) => `argument ${i}`),
    create: text => ({ value: text.length + work(steps) }),
    use: ({ value }) => value,
  }));
  return [...patterns, ...functions].map(({ name, sources, create, use }) => {
    const remembered = memo(create, { max: 1_000 });
    return {
      group: 'memo, beside making it anew',
      name,
      plain: n => {
        for (let i = 0; i < n; i++) sink += use(create(sources[i % sources.length]));
      },
      pooled: n => {
        for (let i = 0; i < n; i++) sink += use(remembered(sources[i % sources.length]));
      },
    };
  });
}

function work(steps) {
  let x = sink & 1;
  for (let i = 0; i < steps; i++) x = (Math.imul(x, 31) + i) | 0;
  return x & 1;
}

function size(bytes) {
  return bytes >= 2 ** 20
    ? `${bytes / 2 ** 20} MB`
    : bytes >= 1_024
      ? `${bytes / 1_024} KB`
      : `${bytes} bytes`;
}
