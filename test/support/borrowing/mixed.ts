import type { FastifyAdapter } from '@nestjs/platform-fastify';
import type { Platform } from '../nest-app.js';
import { borrowingMiddleware } from './around.js';
import { bodyControllers } from './bodies.js';
import { byHandControllers } from './by-hand.js';
import { eventControllers } from './events.js';
import { borrowingRig, type BorrowingRig, type RigOptions } from './rig.js';
import { sharingControllers, sharingProviders } from './sharing.js';
import { valueControllers } from './values.js';

/** An application with every kind of handler, and what is beside them. */
export function mixedRig(
  platform: Platform | (() => FastifyAdapter),
  beside: () => Partial<RigOptions>,
): BorrowingRig {
  return borrowingRig(platform, () => {
    const { controllers = [], providers = [], prepare, ...more } = beside();
    return {
      ...more,
      controllers: [...everyKind, ...controllers],
      providers: [...sharingProviders, ...providers],
      prepare: async (app, rig) => {
        await prepare?.(app, rig);
        app.use(borrowingMiddleware(app));
      },
    };
  });
}

const everyKind = [
  valueControllers,
  bodyControllers,
  byHandControllers,
  eventControllers,
  sharingControllers,
].flat();
