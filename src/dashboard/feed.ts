import { Inject, Injectable, Optional, type OnApplicationBootstrap } from '@nestjs/common';
import { randomBytes } from 'node:crypto';
import type { AnyPool } from '../scope/index.js';
import { PoolRegistry } from '../module/registry.js';
import { requireRegistry } from '../module/require-registry.js';
import { DASHBOARD_OPTIONS, type Settings } from './options.js';
import { PoolRecord } from './record.js';
import { FIELDS } from './sample.js';

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
  /** Another one tells the page that the application was started anew. */
  readonly boot = randomBytes(8).toString('hex');
  /** What an action has to bring along: only a page that this process has served knows it. */
  readonly token = randomBytes(32).toString('hex');
  private readonly records = new Map<AnyPool<unknown>, PoolRecord>();
  private readonly viewers = new Map<Viewer, { behind: boolean }>();
  private readonly told = new Map<PoolRecord, string>();
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
    viewer.send('full', this.full());
    this.viewers.set(viewer, { behind: false });
    return () => this.viewers.delete(viewer);
  }

  /** What somebody has done from the page. */
  note(pool: AnyPool<unknown>, text: string): void {
    this.records.get(pool)?.events.note('action', text);
  }

  private turn(): void {
    const isNew = this.meet();
    const at = Date.now();
    const turned = [...this.records.values()].map(record => ({ record, ...record.turn(at) }));
    if (this.viewers.size === 0) {
      this.told.clear();
      return;
    }
    const pools = turned.map(({ record, sample, events }) => {
      const now = record.now(this.lists);
      const text = JSON.stringify(now);
      const changed = this.told.get(record) !== text;
      this.told.set(record, text);
      return { sample, ...(events.length > 0 && { events }), ...(changed && { now }) };
    });
    const tick = JSON.stringify({ at, pools });
    let full: string | undefined;
    for (const [viewer, state] of this.viewers) {
      // Who was behind has missed some, and gets all of it anew.
      const sent =
        state.behind || isNew ? viewer.send('full', (full ??= this.full())) : viewer.send('tick', tick);
      state.behind = !sent;
    }
  }

  /** All that is known, for a page that has just been opened. */
  private full(): string {
    const { title, actions } = this.settings;
    const pools = [...this.records.values()].map(record => ({
      ...record.title,
      samples: record.past,
      events: record.events.kept,
      now: record.now(this.lists),
    }));
    const common = { boot: this.boot, title, fields: FIELDS, seconds: this.settings.history, at: Date.now() };
    return JSON.stringify({ ...common, ...(actions && { token: this.token }), pools });
  }

  private get lists(): number {
    return this.records.size > MANY ? LISTED_OF_MANY : LISTED;
  }

  /** Pools that are there by now. @returns are there any that were not? */
  private meet(): boolean {
    const pools = this.registry.list().filter(pool => !this.records.has(pool));
    for (const pool of pools) this.records.set(pool, new PoolRecord(pool, this.settings.history));
    return pools.length > 0;
  }

  private stop(): void {
    clearInterval(this.timer);
    for (const viewer of this.viewers.keys()) viewer.end();
    this.viewers.clear();
    for (const record of this.records.values()) record.end();
  }
}
