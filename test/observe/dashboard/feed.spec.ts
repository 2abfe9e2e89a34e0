import { afterEach, test } from '@jest/globals';
import { DashboardFeed, type Viewer } from '../../../src/dashboard/feed.js';
import { forgetLoggers } from '../../support/nest-app.js';
import { until } from '../../support/until.js';
import { serveDashboard, type DashboardApp } from './world.js';

let app: DashboardApp | undefined;

afterEach(async () => {
  await app?.app.close();
  forgetLoggers();
});

test('who cannot keep up is sent nothing meanwhile, and then all of it once', async () => {
  app = await serveDashboard({ open: true });
  const got: string[] = [];
  let ready = true;
  const viewer: Viewer = {
    send: event => {
      if (ready) got.push(event);
      else got.push('refused');
      return ready;
    },
    end: () => got.push('end'),
  };
  app.app.get(DashboardFeed).join(viewer);
  await until(
    () => got.join(),
    seen => seen === 'full,tick',
  );
  ready = false;
  await until(
    () => got.join(),
    seen => seen === 'full,tick,refused',
  );
  ready = true;
  await until(
    () => got.join(),
    seen => seen === 'full,tick,refused,full,tick',
  );
});
