import { Inject, Injectable, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { AnyPool } from '../scope/index.js';
import { PoolRegistry } from '../module/registry.js';
import { requireRegistry } from '../module/require-registry.js';
import { warnUnreadable } from '../module/unreadable.js';
import { DASHBOARD_OPTIONS, type Settings } from './options.js';
import { PoolRecord } from './record.js';
import { FIELDS } from './sample.js';
import { cut } from './who.js';

/** What somebody who looks is sent with. */
export interface Viewer {
  /** @returns false while it does not take any more */
  send(event: 'full' | 'tick', data: string): boolean;
  end(): void;
}

/** Of each list a card shows so many; fewer where there are many cards, so that a second never weighs much. */
const LISTED = 20;
const LISTED_OF_MANY = 5;
const MANY = 10;

/**
 * Looks at every pool of the application once a second, remembers some minutes of it, and tells those who look. A second is made
 * and written down once, however many look; of a pool in which nothing has changed only the numbers are told.
 */
@Injectable()
export class DashboardFeed implements OnApplicationBootstrap {
  /** Another one tells the page that this is not the process that it has seen so far. */
  readonly boot = randomBytes(8).toString('hex');
  /** What an action has to bring along: only a page that this process has served knows it. */
  readonly token = randomBytes(32).toString('hex');
  private readonly records = new Map<AnyPool<unknown>, PoolRecord>();
  private readonly viewers = new Map<Viewer, { behind: boolean }>();
  private readonly told = new Map<PoolRecord, string>();
  /** Since the last second pools have come or gone: who looks knows them by their place, and gets all of it anew. */
  private areOthers = false;
  private timer: NodeJS.Timeout | undefined;
  private readonly registry: PoolRegistry;

  constructor(
    @Optional() @Inject(PoolRegistry) registry: PoolRegistry | undefined,
    @Inject(DASHBOARD_OPTIONS) private readonly settings: Settings,
  ) {
    this.registry = requireRegistry(registry, 'PoolDashboardModule');
  }

  onApplicationBootstrap(): void {
    const { stopping } = this.registry;
    this.meet();
    this.timer = setInterval(() => this.turn(), 1_000);
    this.timer.unref();
    stopping.addEventListener('abort', () => this.stop(), { once: true });
  }

  get viewing(): number {
    return this.viewers.size;
  }

  /** @returns does not look any more */
  join(viewer: Viewer): () => void {
    if (this.registry.stopping.aborted) {
      viewer.end();
      return () => undefined;
    }
    this.meet();
    if (this.viewers.size === 0) this.areOthers = false;
    viewer.send('full', this.full());
    this.viewers.set(viewer, { behind: false });
    return () => this.viewers.delete(viewer);
  }

  /** What somebody has done from the page. */
  note(pool: AnyPool<unknown>, text: string): void {
    this.records.get(pool)?.events.note('action', text);
  }

  private turn(): void {
    this.meet();
    const at = Date.now();
    const isSeen = this.viewers.size > 0;
    if (!isSeen) this.told.clear();
    const pools = this.ofEach(record => this.second(record, at, isSeen));
    const tick = JSON.stringify({ at, pools });
    const { areOthers } = this;
    this.areOthers = false;
    let full: string | undefined;
    for (const [viewer, state] of this.viewers) {
      // Who was behind has missed some, and gets all of it anew.
      const sent =
        state.behind || areOthers ? viewer.send('full', (full ??= this.full())) : viewer.send('tick', tick);
      state.behind = !sent;
    }
  }

  /** What a second has brought of one pool. */
  private second(record: PoolRecord, at: number, isSeen: boolean): object {
    const { sample, events } = record.turn(at);
    if (!isSeen) return {};
    const now = record.now(this.lists);
    const text = JSON.stringify(now);
    const changed = this.told.get(record) !== text;
    this.told.set(record, text);
    return { sample, ...(events.length > 0 && { events }), ...(changed && { now }) };
  }

  /** All that is known, for a page that has just been opened. */
  private full(): string {
    const { title, actions } = this.settings;
    const pools = this.ofEach(record => ({
      ...record.title,
      samples: record.past,
      events: record.events.kept,
      now: record.now(this.lists),
    }));
    const unread = this.registry
      .list()
      .filter(pool => !this.records.has(pool))
      .map(({ name }) => name);
    const common = {
      ...{ boot: this.boot, title, fields: FIELDS, seconds: this.settings.history, at: Date.now() },
      // Behind a load balancer nobody knows otherwise whose page this is. In Kubernetes the host is the pod.
      process: `${cut(hostname(), 100)}, pid ${process.pid}`,
    };
    return JSON.stringify({ ...common, ...(actions && { token: this.token }), pools, unread });
  }

  private get lists(): number {
    return this.records.size > MANY ? LISTED_OF_MANY : LISTED;
  }

  /** Pools that are there by now, and can be read. */
  private meet(): void {
    for (const pool of this.registry.list()) {
      if (this.records.has(pool)) continue;
      const record = attempt(pool, () => new PoolRecord(pool, this.settings.history));
      if (!record) continue;
      this.records.set(pool, record);
      this.areOthers = true;
    }
  }

  /** A pool that cannot be read is left out, until it can be: the others are shown. */
  private ofEach(work: (record: PoolRecord) => object): object[] {
    return [...this.records].flatMap(([pool, record]) => {
      const told = attempt(pool, () => work(record));
      if (told) return told;
      this.records.delete(pool);
      this.told.delete(record);
      attempt(pool, () => record.end());
      this.areOthers = true;
      return [];
    });
  }

  private stop(): void {
    clearInterval(this.timer);
    for (const viewer of this.viewers.keys()) viewer.end();
    this.viewers.clear();
    for (const [pool, record] of this.records) attempt(pool, () => record.end());
  }
}

function attempt<R>(pool: AnyPool<unknown>, work: () => R): R | undefined {
  try {
    return work();
  } catch (error) {
    warnUnreadable(pool, 'the live page', error);
    return undefined;
  }
}
