import type { Supply } from './supply/supply.js';
import type { Alarm } from './time/alarm.js';

/**
 * What the parts of one pool share. Nobody outside the pool sees it, and each part only as much of it as it is about: see
 * Stock, Waiting and Supply.
 */
export interface Interior<T> extends Supply<T> {
  readonly alarm: Alarm;
}
